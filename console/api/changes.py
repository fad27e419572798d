"""Changes: ask, look before and after, start, stop, undo. All of it through the gate the pages use."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db.models import Q
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from access.errors import StepUpNeeded
from approvals import gate
from approvals.errors import AskedAtOnce, NotAPerson, RowsInAnotherTicket
from audit import registry
from audit.errors import UnknownEntity
from changes import errors as engine
from changes import execution, planning
from changes.models import Change
from changes.operations import REGISTRY
from changes.progress import progress
from changes.relations import dependants
from changes.selection import Selection
from changes.states import UNFINISHED, Operation, State
from console.api import paging
from console.api.base import ApiView, integer
from console.api.describing import IDEMPOTENCY, operation, query
from console.api.errors import BadParameter, InvalidFields, OwnAddress
from console.api.fields import read
from console.api.requests import ASKABLE, ChangeRequest, PreviewRequest
from console.api.serializers import ChangeShown, ChangeWhole, PreviewShown

SELECTION_ERRORS = (
    engine.UnknownOperation,
    UnknownEntity,
    engine.BadSelection,
    engine.UnknownField,
    engine.UnknownLookup,
    engine.BadValue,
    engine.EmptySelection,
    engine.WholeTable,
    engine.TooManyKeys,
    engine.BadOption,
    engine.NothingToSet,
    engine.NotWritable,
    engine.SayIncluding,
    engine.UniqueForSeveral,
)
# Operations that need no selection, but a change or a snapshot.
ELSEWHERE = {
    Operation.UNDO.value: "POST /api/v1/changes/{id}/undo/, /api/v1/events/undo/",
    Operation.ROLLBACK.value: "POST /api/v1/snapshots/{id}/rollback/",
}
FILTERS = (
    query("state", "Only changes in this state.", enum=State.values),
    query("entity", "Only changes of this entity (`app.model`)."),
    query("operation", "Only this operation.", enum=list(REGISTRY)),
    query("mine", "1: only what I asked for.", int, enum=[0, 1]),
)


class IdempotencyKey:
    """The header that makes a second identical request harmless: a UUID, or any text as one."""

    NAMESPACE: ClassVar[uuid.UUID] = uuid.UUID("6f0d2c1e-8a55-5d7b-9c41-0b7e3f5a9d10")
    LIMIT: ClassVar[int] = 255
    ERRORS: ClassVar[tuple[type[BadParameter], ...]] = (BadParameter,)

    @classmethod
    def of(cls, request: Request) -> uuid.UUID | None:
        """The request key, None without the header."""
        text = request.headers.get("Idempotency-Key", "").strip()
        if not text:
            return None
        if len(text) > cls.LIMIT:
            raise BadParameter(field="Idempotency-Key", value=text[:20], hint=f"≤ {cls.LIMIT}")
        try:
            return uuid.UUID(text)
        except ValueError:
            return uuid.uuid5(cls.NAMESPACE, text)


class ChangeList(ApiView):
    parameters = {"GET": paging.PARAMETERS | {"state", "entity", "operation", "mine"}}

    @operation(
        "listChanges",
        "Changes, newest first",
        gives=ChangeShown,
        paged=True,
        parameters=FILTERS,
        errors=(UnknownEntity,),
        tag="changes",
    )
    def get(self, request: Request) -> Response:
        self.enforce("change.browse", "*")
        rows = _filtered(request, visible(self).select_related("ticket").order_by("-pk"), self.actor.person_id)
        after = paging.numbers(request)
        if after is not None:
            rows = rows.filter(pk__lt=after[0])
        return Response(
            paging.page(
                request,
                rows,
                key=lambda change: (change.pk,),
                show=lambda found: list(ChangeShown(found, many=True).data),
                limit=paging.size(request),
            )
        )

    @operation(
        "createChange",
        "Ask for a change: 201 when it waits for a ticket, 202 when it runs at once",
        takes=ChangeRequest,
        gives=ChangeWhole,
        status=(201, 202),
        parameters=(IDEMPOTENCY,),
        errors=(
            *SELECTION_ERRORS,
            engine.ReasonMissing,
            engine.ImportNotFound,
            engine.WrongLines,
            engine.WrongState,
            engine.NotTheRequester,
            engine.ProtectedRows,
            engine.PreflightBlocks,
            engine.RequestKeyReused,
            engine.BadWindow,
            engine.BadCanary,
            NotAPerson,
            StepUpNeeded,
            RowsInAnotherTicket,
            AskedAtOnce,
            BadParameter,
        ),
        tag="changes",
    )
    def post(self, request: Request) -> Response:
        self.enforce("change.browse", "*")
        sent = read(ChangeRequest, request.data)
        _refuse_unaskable(sent["operation"])
        model = registry.entity(sent["entity"])
        return asked(
            gate.request(
                self.actor,
                entity=model,
                operation=sent["operation"],
                selection=sent["selection"],
                reason=sent["reason"],
                title=sent["title"],
                cascade_also=_relations(model, sent["cascade_also"]),
                request_key=IdempotencyKey.of(request),
                window=sent["window"],
                canary=sent["canary"],
                options=_options(sent),
                draft_id=_draft(sent),
            )
        )


class ChangePreview(ApiView):
    @operation(
        "previewChange",
        "What a change would do, counted for real; nothing is kept",
        takes=PreviewRequest,
        gives=PreviewShown,
        errors=SELECTION_ERRORS,
        tag="changes",
    )
    def post(self, request: Request) -> Response:
        sent = read(PreviewRequest, request.data)
        self.enforce("change.request", sent["entity"])
        _refuse_unaskable(sent["operation"])
        if sent["operation"] == Operation.IMPORT:
            raise engine.UnknownOperation(
                field="operation", value=Operation.IMPORT, known=", ".join(one for one in ASKABLE if one != "import")
            )
        model = registry.entity(sent["entity"])
        found = planning.preview(
            self.actor,
            entity=model,
            operation=sent["operation"],
            selection=Selection.parse(sent["selection"], model),
            cascade_also=frozenset(_relations(model, sent["cascade_also"])),
            options=_options(sent),
        )
        return Response(PreviewShown(_previewed(found)).data)


class ChangeDetail(ApiView):
    @operation(
        "getChange",
        "One change, with parts and progress",
        gives=ChangeWhole,
        errors=(engine.ChangeNotFound,),
        tag="changes",
    )
    def get(self, request: Request, change_id: int) -> Response:
        return Response(whole(open_change(self, change_id)))


def visible(view: ApiView) -> Any:
    """Changes the actor may see: drafts are their writer's own, until they have been asked for."""
    asked = ~Q(state=State.DRAFT) | Q(frozen_at__isnull=False)
    return Change.objects.filter(asked | Q(requester_person_id=view.actor.person_id))


def open_change(view: ApiView, change_id: int) -> Change:
    """The change of an address, after the policy's answer. Raises NotAllowed before ChangeNotFound."""
    view.enforce("change.browse", f"C-{change_id}")
    change = visible(view).select_related("ticket").filter(pk=change_id).first()
    if change is None:
        raise engine.ChangeNotFound(change_id=change_id)
    return change


def asked(outcome: gate.Outcome, *, status: int | None = None) -> Response:
    """The answer to a request: created while a ticket decides, accepted when workers have it."""
    change = execution.get(outcome.change.pk)
    body = whole(change)
    code = status or (202 if outcome.ticket is None else 201)
    return Response(body, status=code, headers={"Location": body["links"]["self"]})


def whole(change: Change) -> dict[str, Any]:
    """A change with everything a client needs to go on."""
    now = progress(change)
    change.progress = now  # type: ignore[attr-defined]
    if change.state in UNFINISHED:
        # The change's own counts are written at its end.
        change.applied, change.skipped = now.applied, now.skipped
    change.links = _links(change)  # type: ignore[attr-defined]
    return dict(ChangeWhole(change).data)


def _links(change: Change) -> dict[str, str | None]:
    ticket = ChangeShown().get_ticket(change)
    own = {
        name: reverse(f"api:change-{name.replace('_', '-')}", args=[change.pk])
        for name in (
            "rows",
            "skipped",
            "start",
            "discard",
            "pause",
            "tune",
            "retry",
            "cancel",
            "undo",
            "undo_preview",
            "preflight",
            "exclude",
            "evidence",
            "drift",
        )
    }
    return {
        "self": reverse("api:change", args=[change.pk]),
        **own,
        "ticket": reverse("api:ticket", args=[ticket]) if ticket else None,
        "undo_of": reverse("api:change", args=[change.undo_of_id]) if change.undo_of_id else None,
        "events": f"{reverse('api:events')}?change={change.pk}",
    }


def _filtered(request: Request, rows: Any, person_id: int | None) -> Any:
    given = request.query_params
    for name, known in (("state", State.values), ("operation", tuple(REGISTRY))):
        if name in given:
            if given[name] not in known:
                raise BadParameter(field=name, value=given[name][:40], hint=", ".join(known))
            rows = rows.filter(**{name: given[name]})
    if "entity" in given:
        rows = rows.filter(entity=registry.entity(given["entity"])._meta.label_lower)
    if flag(request, "mine"):
        rows = rows.filter(requester_person_id=person_id)
    return rows


def flag(request: Request, name: str) -> bool:
    """A query parameter that is 1 or 0."""
    text = request.query_params.get(name, "0")
    if integer(text, most=1) is None:
        raise BadParameter(field=name, value=text[:40], hint="0, 1")
    return text == "1"


def _refuse_unaskable(operation: str) -> None:
    if operation in ELSEWHERE:
        raise OwnAddress(field="operation", value=operation, way=ELSEWHERE[operation])
    if operation not in ASKABLE:
        raise engine.UnknownOperation(field="operation", value=operation[:40], known=", ".join(ASKABLE))


def _options(sent: dict[str, Any]) -> dict[str, Any]:
    """What was asked besides the selection. Raises BadOption unless it is an object."""
    options = sent["options"]
    if options is None:
        return {}
    if not isinstance(options, dict):
        raise engine.BadOption(field="options", value=str(options)[:40], known="{…}")
    return options


def _draft(sent: dict[str, Any]) -> int | None:
    """The draft that becomes the change: the file that was sent."""
    upload = _options(sent).get("import") if sent["operation"] == Operation.IMPORT else None
    return upload if isinstance(upload, int) and not isinstance(upload, bool) else None


def _relations(model: Any, named: list[str]) -> list[str]:
    """Relations to take along; a name nobody knows is refused, because it would be overlooked."""
    known, queue = set(), [model]
    seen = {model}
    while queue:
        for one in dependants(queue.pop()):
            known.add(one.name)
            if one.child not in seen:
                seen.add(one.child)
                queue.append(one.child)
    wrong = [name for name in named if name not in known]
    if wrong:
        message = ", ".join(sorted(known)) or "-"
        errors = [{"field": "cascade_also", "code": "unknown_relation", "message": message} for _ in wrong[:1]]
        raise InvalidFields(field="cascade_also", errors=errors)
    return named


def _previewed(found: planning.Preview) -> dict[str, Any]:
    findings = [finding.as_json() for finding in found.findings]
    return {
        "rows_selected": found.plan.rows_selected,
        "rows_total": found.plan.rows_total,
        "blocked": found.blocked,
        "parts": [
            {"entity": part.entity._meta.label_lower, "effect": part.effect, "rows": part.rows, "via": part.via}
            for part in found.plan.parts
        ],
        "findings": findings,
        "keys": next((one["facts"] for one in findings if one["code"] == "keys"), None),
    }
