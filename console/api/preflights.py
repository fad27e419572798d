"""The checks of a change: every run that was made, making them again, leaving out the rows that one objects to."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from access.enforcement import enforce
from changes import errors as engine
from changes import excluding, preflight
from changes.models import PreflightRun
from console.api import paging
from console.api.base import ApiView
from console.api.changes import open_change, whole
from console.api.describing import operation
from console.api.fields import Body, Text, read
from console.api.runs import Nothing
from console.api.serializers import ChangeWhole, FindingShown, Shown


class PreflightRunShown(Shown):
    id = serializers.IntegerField()
    moment = serializers.ChoiceField(preflight.Moment.choices)
    made_at = serializers.DateTimeField()
    who = serializers.CharField(source="name", help_text="For whose step the checks were made.")
    blocked = serializers.BooleanField()
    findings = FindingShown(many=True)


class ExcludeRequest(Body):
    check = Text(max_length=32, help_text=" or ".join(f"`{one}`" for one in sorted(excluding.FINDERS)))


class Preflights(ApiView):
    parameters = {"GET": paging.PARAMETERS}

    @operation(
        "listPreflightRuns",
        "Runs of the checks of a change, newest first: what each found, when, and for whose step",
        gives=PreflightRunShown,
        paged=True,
        errors=(engine.ChangeNotFound,),
        tag="changes",
    )
    def get(self, request: Request, change_id: int) -> Response:
        rows = PreflightRun.objects.filter(change_id=open_change(self, change_id).pk).order_by("-pk")
        after = paging.numbers(request)
        if after is not None:
            rows = rows.filter(pk__lt=after[0])
        return Response(
            paging.page(
                request,
                rows,
                key=lambda run: (run.pk,),
                show=lambda found: list(PreflightRunShown(found, many=True).data),
                limit=paging.size(request),
            )
        )

    @operation(
        "runPreflight",
        "Make the checks of a change now, and keep what they find",
        takes=Nothing,
        gives=PreflightRunShown,
        status=201,
        errors=(engine.ChangeNotFound, engine.WrongState),
        tag="changes",
    )
    def post(self, request: Request, change_id: int) -> Response:
        read(Nothing, request.data)
        open_change(self, change_id)
        run = preflight.again(change_id, actor=self.actor)
        run.refresh_from_db()
        return Response(PreflightRunShown(run).data, status=201)


class Exclude(ApiView):
    @operation(
        "excludeRows",
        "A draft that asks for the same without the rows that a check objects to",
        takes=ExcludeRequest,
        gives=ChangeWhole,
        status=201,
        errors=(
            engine.ChangeNotFound,
            engine.UnknownCheck,
            engine.NoSelection,
            engine.NothingToLeaveOut,
            engine.NothingWouldStay,
            engine.TooManyKeys,
        ),
        tag="changes",
    )
    def post(self, request: Request, change_id: int) -> Response:
        sent = read(ExcludeRequest, request.data)
        change = open_change(self, change_id)
        enforce(self.actor, "change.request", change.entity)
        body = whole(excluding.exclude(change.pk, sent["check"], actor=self.actor))
        return Response(body, status=201, headers={"Location": body["links"]["self"]})
