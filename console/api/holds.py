"""Legal holds: placed on rows, a table or everything; lifted by another person."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.errors import UnknownEntity
from changes.holds import errors as refusals
from changes.holds import placing
from changes.holds.models import Hold
from console.api import paging
from console.api.base import ApiView
from console.api.changes import SELECTION_ERRORS
from console.api.describing import operation
from console.api.fields import Body, Text, read
from console.api.requests import Options
from console.api.serializers import Shown


class HoldShown(Shown):
    id = serializers.IntegerField()
    name = serializers.CharField()
    matter = serializers.CharField()
    reason = serializers.CharField()
    scope = serializers.ChoiceField(Hold.Scope.choices)
    entity = serializers.CharField()
    rows = serializers.IntegerField(help_text="Rows whose keys are held; 0 for a whole table.")
    placed_at = serializers.DateTimeField()
    placed_by = serializers.CharField(source="placed_name")
    lifted_at = serializers.DateTimeField(allow_null=True)
    lifted_by = serializers.CharField(source="lifted_name")
    lifted_reason = serializers.CharField()


class HoldRequest(Body):
    name = Text(max_length=200)
    matter = Text(max_length=80, help_text="The number of the matter.")
    reason = Text(max_length=4000, help_text="Why, in at least 10 characters.")
    scope = Text(max_length=16, help_text=" or ".join(f"`{one}`" for one in Hold.Scope.values))
    entity = Text(required=False, default="", max_length=160, help_text="`app.model`, unless every table is held.")
    selection = Options(required=False, default=dict, help_text="As in a change; rows that match later are not held.")


class LiftRequest(Body):
    reason = Text(max_length=4000, help_text="Why, in at least 10 characters.")


class HoldList(ApiView):
    parameters = {"GET": paging.PARAMETERS}

    @operation("listHolds", "Legal holds, newest first", gives=HoldShown, paged=True, tag="holds")
    def get(self, request: Request) -> Response:
        self.enforce("hold.browse", "*")
        rows = Hold.objects.order_by("-pk")
        after = paging.numbers(request)
        if after is not None:
            rows = rows.filter(pk__lt=after[0])
        return Response(
            paging.page(
                request,
                rows,
                key=lambda hold: (hold.pk,),
                show=lambda found: list(HoldShown(found, many=True).data),
                limit=paging.size(request),
            )
        )

    @operation(
        "placeHold",
        "Hold rows, a table or every table: no change touches them until somebody else lifts it",
        takes=HoldRequest,
        gives=HoldShown,
        status=201,
        errors=(*SELECTION_ERRORS, UnknownEntity, refusals.BadScope, refusals.TextMissing, refusals.NotByAPerson),
        tag="holds",
    )
    def post(self, request: Request) -> Response:
        self.enforce("hold.browse", "*")
        sent = read(HoldRequest, request.data)
        return Response(HoldShown(placing.place(placing.Terms(**sent), actor=self.actor)).data, status=201)


class HoldLift(ApiView):
    @operation(
        "liftHold",
        "End a hold that another person placed",
        takes=LiftRequest,
        gives=HoldShown,
        errors=(
            refusals.HoldNotFound,
            refusals.HoldNotOpen,
            refusals.OwnHold,
            refusals.TextMissing,
            refusals.NotByAPerson,
        ),
        tag="holds",
    )
    def post(self, request: Request, hold_id: int) -> Response:
        self.enforce("hold.browse", f"H-{hold_id}")
        sent = read(LiftRequest, request.data)
        return Response(HoldShown(placing.lift(hold_id, actor=self.actor, reason=sent["reason"])).data)
