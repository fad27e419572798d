"""Tables go back to a snapshot: looked at first, then asked for, as a change like any other."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from approvals import gate
from approvals.errors import AskedAtOnce, NotAPerson, RowsInAnotherTicket
from audit.errors import UnknownEntity
from audit.snapshots import errors, state
from changes import errors as engine
from changes.states import Operation
from changes.undoing import preview_rollback
from console.api.base import ApiView
from console.api.changes import IdempotencyKey, asked
from console.api.describing import IDEMPOTENCY, operation
from console.api.errors import BadParameter
from console.api.fields import read
from console.api.requests import RollbackPreviewRequest, RollbackRequest
from console.api.serializers import ChangeWhole
from console.api.undo_shown import NoChangeShown, UndoPreviewShown
from console.api.undoing import OPTION_ERRORS, placed, shown

CHOOSABLE = ("entities", "conflicts", "only")
STATE_ERRORS = (
    errors.SnapshotNotFound,
    errors.NotInSnapshot,
    errors.BeforeRecording,
    errors.BaselineOpen,
    UnknownEntity,
)


class Rollback(ApiView):
    """201 when it waits for a ticket, 202 when it runs at once, 200 with `{"change": null}` when nothing differs."""

    @operation(
        "rollBackToSnapshot",
        "Ask for tables to go back to a snapshot, all of them in one transaction",
        takes=RollbackRequest,
        gives=ChangeWhole,
        status=(201, 202),
        also={200: NoChangeShown},
        parameters=(IDEMPOTENCY,),
        errors=(
            *STATE_ERRORS,
            *OPTION_ERRORS,
            engine.ReasonMissing,
            engine.RequestKeyReused,
            NotAPerson,
            RowsInAnotherTicket,
            AskedAtOnce,
            BadParameter,
        ),
        tag="snapshots",
    )
    def post(self, request: Request, snapshot_id: int) -> Response:
        sent = read(RollbackRequest, request.data)
        _open(self, snapshot_id)
        key = IdempotencyKey.of(request)
        with placed():
            outcome = gate.rollback_to_snapshot(
                snapshot_id,
                actor=self.actor,
                reason=sent["reason"],
                title=sent["title"],
                options=_choosable(sent["options"]),
                request_key=key,
            )
        return Response(NoChangeShown({"change": None}).data) if outcome is None else asked(outcome)


class RollbackPreview(ApiView):
    @operation(
        "previewRollback",
        "What going back to a snapshot would put back, add again or archive, and what it would leave alone",
        takes=RollbackPreviewRequest,
        gives=UndoPreviewShown,
        errors=(*STATE_ERRORS, *OPTION_ERRORS),
        tag="snapshots",
    )
    def post(self, request: Request, snapshot_id: int) -> Response:
        sent = read(RollbackPreviewRequest, request.data)
        _open(self, snapshot_id)
        with placed():
            return shown(
                preview_rollback(snapshot_id, actor=self.actor, options=_choosable(sent["options"])), Operation.ROLLBACK
            )


def _open(view: ApiView, snapshot_id: int) -> None:
    """The snapshot of the address, for those who may go back to it. Raises NotAllowed, SnapshotNotFound."""
    view.enforce("snapshot.browse", f"S-{snapshot_id}")
    state.get(snapshot_id)
    view.enforce("change.rollback", f"S-{snapshot_id}")


def _choosable(options: dict[str, Any]) -> dict[str, Any]:
    """What a client may choose: the state comes from the address, never from here."""
    for name in options:
        if name not in CHOOSABLE:
            raise engine.BadOption(field=f"options.{name}"[:80], value=name[:40], known=", ".join(CHOOSABLE))
    return options
