"""Rules, and amendments of rules, roles, groups and persons."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from approvals import amendments
from approvals import errors as refusals
from approvals.models import Amendment
from approvals.rules import versions
from console.api import paging
from console.api.base import ApiView
from console.api.describing import operation, query
from console.api.errors import BadParameter
from console.api.fields import read
from console.api.requests import AmendmentAnswer, AmendmentRequest, RulesRequest
from console.api.rule_shown import AmendmentShown, PastShown, RulesShown

STATE = query("state", "Only amendments in this state.", enum=Amendment.State.values)
DECIDING = (
    refusals.AmendmentNotFound,
    refusals.AmendmentNotOpen,
    refusals.AmendmentSubject,
    refusals.OwnAmendment,
    refusals.NotAPerson,
)


class Rules(ApiView):
    @operation("readRules", "The rules in force: who must agree to what", gives=RulesShown, tag="rules")
    def get(self, request: Request) -> Response:
        self.enforce("rule.browse", "*")
        return Response(RulesShown(versions.in_force()).data)


class RulesPreview(ApiView):
    @operation(
        "previewRules",
        "Try other rules on the changes of the last ninety days; nothing is proposed",
        takes=RulesRequest,
        gives=PastShown,
        errors=(refusals.BadRule, refusals.RulesConflict),
        tag="rules",
    )
    def post(self, request: Request) -> Response:
        self.enforce("amendment.propose", "rules")
        rules = versions.read(read(RulesRequest, request.data)["rules"])
        return Response(PastShown(versions.preview([rule.as_json() for rule in rules])).data)


class AmendmentList(ApiView):
    parameters = {"GET": paging.PARAMETERS | {"state"}}

    @operation(
        "listAmendments",
        "Amendments, newest first",
        gives=AmendmentShown,
        paged=True,
        parameters=(STATE,),
        tag="rules",
    )
    def get(self, request: Request) -> Response:
        self.enforce("amendment.browse", "*")
        rows = Amendment.objects.order_by("-pk")
        state = request.query_params.get("state")
        if state is not None:
            if state not in Amendment.State.values:
                raise BadParameter(field="state", value=state[:40], hint=", ".join(Amendment.State.values))
            rows = rows.filter(state=state)
        after = paging.numbers(request)
        if after is not None:
            rows = rows.filter(pk__lt=after[0])
        return Response(
            paging.page(
                request,
                rows,
                key=lambda amendment: (amendment.pk,),
                show=lambda found: list(AmendmentShown(found, many=True).data),
                limit=paging.size(request),
            )
        )

    @operation(
        "proposeAmendment",
        "Propose a change of rules, a role, a group or a login's person; it does nothing until another person agrees",
        takes=AmendmentRequest,
        gives=AmendmentShown,
        status=201,
        errors=(
            refusals.UnknownKind,
            refusals.BadAmendment,
            refusals.BadRule,
            refusals.RulesConflict,
            refusals.NothingAmended,
            refusals.ReasonTooShort,
            refusals.NotAPerson,
        ),
        tag="rules",
    )
    def post(self, request: Request) -> Response:
        self.enforce("amendment.browse", "*")
        sent = read(AmendmentRequest, request.data)
        made = amendments.propose(sent["kind"], sent["payload"], actor=self.actor, reason=sent["reason"])
        return Response(_one(made), status=201)


class AmendmentAgree(ApiView):
    @operation(
        "agreeAmendment",
        "Agree to what another person proposed; it is so from now on",
        takes=AmendmentAnswer,
        gives=AmendmentShown,
        errors=(*DECIDING, refusals.BadRule, refusals.RulesConflict),
        tag="rules",
    )
    def post(self, request: Request, amendment_id: int) -> Response:
        self.enforce("amendment.browse", f"A-{amendment_id}")
        answer = read(AmendmentAnswer, request.data)["answer"]
        return Response(_one(amendments.agree(amendment_id, actor=self.actor, answer=answer)))


class AmendmentRefuse(ApiView):
    @operation(
        "refuseAmendment",
        "Say no to what another person proposed, and why",
        takes=AmendmentAnswer,
        gives=AmendmentShown,
        errors=(*DECIDING, refusals.ReasonTooShort),
        tag="rules",
    )
    def post(self, request: Request, amendment_id: int) -> Response:
        self.enforce("amendment.browse", f"A-{amendment_id}")
        answer = read(AmendmentAnswer, request.data)["answer"]
        return Response(_one(amendments.refuse(amendment_id, actor=self.actor, answer=answer)))


class AmendmentWithdraw(ApiView):
    @operation(
        "withdrawAmendment",
        "Take one's own proposal back",
        gives=AmendmentShown,
        errors=(refusals.AmendmentNotFound, refusals.AmendmentNotOpen),
        tag="rules",
    )
    def post(self, request: Request, amendment_id: int) -> Response:
        self.enforce("amendment.browse", f"A-{amendment_id}")
        return Response(_one(amendments.withdraw(amendment_id, actor=self.actor)))


def _one(amendment: Amendment) -> dict[str, Any]:
    return dict(AmendmentShown(amendment).data)
