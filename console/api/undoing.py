"""Undoing a change, or statements that no change made: looked at first, then asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from approvals import gate
from approvals.errors import AskedAtOnce, NotAPerson, RowsInAnotherTicket
from audit import registry
from changes import conflicts, partial
from changes import errors as engine
from changes.event_freezing import parse_source
from changes.states import Operation
from changes.undoing import UndoPreview, first_of, preview_undo, preview_undo_of_events
from console.api.base import ApiView
from console.api.changes import IdempotencyKey, asked, open_change
from console.api.describing import IDEMPOTENCY, operation
from console.api.errors import BadParameter
from console.api.fields import read
from console.api.requests import EventsUndoPreviewRequest, EventsUndoRequest, UndoPreviewRequest, UndoRequest
from console.api.serializers import ChangeWhole
from console.api.undo_shown import UndoPreviewShown
from foundation.errors import Conflict, Invalid

OPTION_ERRORS = (
    engine.BadOption,
    engine.UnknownConflict,
    engine.BadRule,
    engine.BadSelection,
    engine.UnknownField,
    engine.NothingChosen,
    engine.UnknownLookup,
    engine.BadValue,
    engine.TooManyKeys,
    engine.WholeTable,
    engine.ConflictsFound,
)
CHANGE_ERRORS = (engine.ChangeNotFound, engine.WrongState, engine.NothingToUndo)
EVENT_ERRORS = (engine.EventNotFound, engine.TooManyEvents)
ASKING_ERRORS = (
    engine.UndoExists,
    engine.ReasonMissing,
    engine.EmptySelection,
    engine.RequestKeyReused,
    NotAPerson,
    RowsInAnotherTicket,
    AskedAtOnce,
    BadParameter,
)


class ChangeUndo(ApiView):
    @operation(
        "undoChange",
        "Ask for a change to be undone, as a change of its own",
        takes=UndoRequest,
        gives=ChangeWhole,
        status=(201, 202),
        parameters=(IDEMPOTENCY,),
        errors=(*CHANGE_ERRORS, *ASKING_ERRORS, *OPTION_ERRORS),
        tag="changes",
    )
    def post(self, request: Request, change_id: int) -> Response:
        sent = read(UndoRequest, request.data)
        open_change(self, change_id)
        key = IdempotencyKey.of(request)
        with placed():
            outcome = gate.request_undo(
                change_id, actor=self.actor, reason=sent["reason"], request_key=key, options=_choosable(sent["options"])
            )
        return asked(outcome)


class ChangeUndoPreview(ApiView):
    @operation(
        "previewUndo",
        "What an undo would bring back, and what it would leave alone",
        gives=UndoPreviewShown,
        errors=CHANGE_ERRORS,
        tag="changes",
    )
    def get(self, request: Request, change_id: int) -> Response:
        return self._preview(change_id, {})

    @operation(
        "previewUndoWith",
        "The same, by rules for conflicts or of a part",
        takes=UndoPreviewRequest,
        gives=UndoPreviewShown,
        errors=(*CHANGE_ERRORS, *OPTION_ERRORS),
        tag="changes",
    )
    def post(self, request: Request, change_id: int) -> Response:
        return self._preview(change_id, read(UndoPreviewRequest, request.data)["options"])

    def _preview(self, change_id: int, options: dict[str, Any]) -> Response:
        open_change(self, change_id)
        self.enforce("change.undo", f"C-{change_id}")
        with placed():
            return shown(preview_undo(change_id, actor=self.actor, options=_choosable(options)))


class EventsUndo(ApiView):
    @operation(
        "undoEvents",
        "Ask for statements that no change made to be undone",
        takes=EventsUndoRequest,
        gives=ChangeWhole,
        status=(201, 202),
        parameters=(IDEMPOTENCY,),
        errors=(*EVENT_ERRORS, *ASKING_ERRORS, *OPTION_ERRORS),
        tag="record",
    )
    def post(self, request: Request) -> Response:
        sent = read(EventsUndoRequest, request.data)
        self.enforce("history.browse", "*")
        key = IdempotencyKey.of(request)
        with placed():
            outcome = gate.request_undo_of_events(
                sent["events"],
                actor=self.actor,
                reason=sent["reason"],
                title=sent["title"],
                transaction=sent["transaction"],
                options=_choosable(sent["options"]),
                request_key=key,
            )
        return asked(outcome)


class EventsUndoPreview(ApiView):
    @operation(
        "previewUndoOfEvents",
        "What undoing statements would bring back, add or archive, and what it would leave alone",
        takes=EventsUndoPreviewRequest,
        gives=UndoPreviewShown,
        errors=(*EVENT_ERRORS, *OPTION_ERRORS),
        tag="record",
    )
    def post(self, request: Request) -> Response:
        sent = read(EventsUndoPreviewRequest, request.data)
        self.enforce("history.browse", "*")
        with placed():
            source = parse_source({"events": sent["events"], "transaction": sent["transaction"]})
            entity = first_of(source["events"]).entity
            self.enforce("change.undo", entity)
            options = {**_choosable(sent["options"]), "source": source}
            return shown(preview_undo_of_events(entity, actor=self.actor, options=options))


@contextmanager
def placed() -> Iterator[None]:
    """The engine names places among its options; a client finds them in the body it sent."""
    try:
        yield
    except (Invalid, Conflict) as error:
        place = str(error.facts.get("field", ""))
        if place.startswith("source."):
            error.facts["field"] = place.removeprefix("source.")
        elif place.partition(".")[0] in ("conflicts", "only"):
            error.facts["field"] = f"options.{place}"
        raise


def _choosable(options: dict[str, Any]) -> dict[str, Any]:
    """What a client may choose: the source comes from the address or the body, never from here."""
    if "source" in options:
        raise engine.BadOption(field="options.source", value="source", known="conflicts, only")
    return options


def shown(found: UndoPreview, operation: str = Operation.UNDO) -> Response:
    """A preview as the API gives it."""
    needed = gate.foreseen(operation, ((part.entity, part.rows) for part in found.parts), least=found.approvals_least)
    body = {
        "rows": found.rows,
        "approvals": needed.approvals,
        "parts": found.parts,
        "conflicts": found.conflicts,
        "classes": [
            {"entity": t.entity, "reason": t.reason, "rows": t.rows, "rules": conflicts.RULES.get(t.reason, ())}
            for t in found.tallies
        ],
        "sample": found.sample,
        "scope": [
            {"entity": entity, "fields": partial.choices(registry.entity(entity), columns)}
            for entity, columns in found.scope
        ],
        "lost": [{"entity": entity, "column": column} for entity, column in found.lost],
    }
    return Response(UndoPreviewShown(body).data)
