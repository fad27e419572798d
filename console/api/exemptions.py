"""Exemptions of a login from the row limits of one table: asked for, agreed to by somebody else, withdrawn."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.db.models.functions import Now
from rest_framework.request import Request
from rest_framework.response import Response

from access.errors import StepUpNeeded
from approvals import errors as refusals
from approvals import exemptions
from audit.errors import UnknownEntity
from audit.models import Exemption
from console.api import paging
from console.api.base import ApiView
from console.api.describing import operation, query
from console.api.errors import BadParameter
from console.api.exemption_shown import ExemptionShown
from console.api.fields import read
from console.api.requests import ExemptionRequest

STATES = {
    "asked": Q(agreed_at__isnull=True, withdrawn_at__isnull=True, expires_at__gt=Now()),
    "in_force": Q(agreed_at__isnull=False, withdrawn_at__isnull=True, expires_at__gt=Now()),
    "void": Q(withdrawn_at__isnull=False) | Q(expires_at__lte=Now()),
}
STATE = query("state", "Only exemptions in this state.", enum=list(STATES))


class ExemptionList(ApiView):
    parameters = {"GET": paging.PARAMETERS | {"state"}}

    @operation(
        "listExemptions",
        "Exemptions, newest first",
        gives=ExemptionShown,
        paged=True,
        parameters=(STATE,),
        tag="exemptions",
    )
    def get(self, request: Request) -> Response:
        self.enforce("exemption.browse", "*")
        rows = shown().order_by("-pk")
        state = request.query_params.get("state")
        if state is not None:
            if state not in STATES:
                raise BadParameter(field="state", value=state[:40], hint=", ".join(STATES))
            rows = rows.filter(STATES[state])
        after = paging.numbers(request)
        if after is not None:
            rows = rows.filter(pk__lt=after[0])
        return Response(
            paging.page(
                request,
                rows,
                key=lambda exemption: (exemption.pk,),
                show=lambda found: list(ExemptionShown(found, many=True).data),
                limit=paging.size(request),
            )
        )

    @operation(
        "askExemption",
        "Ask to exempt a login; void until somebody else agrees",
        takes=ExemptionRequest,
        gives=ExemptionShown,
        status=201,
        errors=(
            UnknownEntity,
            refusals.LoginNotExemptible,
            refusals.WindowTooSmall,
            refusals.BadExpiry,
            refusals.ReasonTooShort,
            refusals.NotAPerson,
        ),
        tag="exemptions",
    )
    def post(self, request: Request) -> Response:
        self.enforce("exemption.browse", "*")
        made = exemptions.ask(exemptions.Terms(**read(ExemptionRequest, request.data)), actor=self.actor)
        return Response(_one(made), status=201)


class ExemptionAgree(ApiView):
    @operation(
        "agreeExemption",
        "Agree to what another person asked for; it holds from now on",
        gives=ExemptionShown,
        errors=(
            refusals.ExemptionNotFound,
            refusals.SelfApproval,
            refusals.NotAPerson,
            refusals.ExemptionNotOpen,
            StepUpNeeded,
        ),
        tag="exemptions",
    )
    def post(self, request: Request, exemption_id: int) -> Response:
        self.enforce("exemption.browse", f"E-{exemption_id}")
        return Response(_one(exemptions.agree(exemption_id, actor=self.actor)))


class ExemptionWithdraw(ApiView):
    @operation(
        "withdrawExemption",
        "End an exemption, or the question for one, at once",
        gives=ExemptionShown,
        errors=(refusals.ExemptionNotFound, refusals.ExemptionNotOpen),
        tag="exemptions",
    )
    def post(self, request: Request, exemption_id: int) -> Response:
        self.enforce("exemption.browse", f"E-{exemption_id}")
        return Response(_one(exemptions.withdraw(exemption_id, actor=self.actor)))


def shown() -> Any:
    """Exemptions of the tenant, with the database's clock beside them."""
    return Exemption.objects.annotate(now=Now())


def _one(exemption: Exemption) -> dict[str, Any]:
    return dict(ExemptionShown(shown().get(pk=exemption.pk)).data)
