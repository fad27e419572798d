"""What becomes of a run, told to whoever asked for it. The engine knows nobody up here: it names what happened, we listen."""

from __future__ import annotations

from typing import Any

from approvals.models import Ticket
from approvals.notices.kinds import Kind
from approvals.notices.telling import tell
from changes.models import Change
from changes.states import Held, State

ENDS = {State.DONE: Kind.RUN_DONE, State.CANCELLED: Kind.RUN_STOPPED, State.FAILED: Kind.RUN_FAILED}
ACTS = ("change.done", "change.cancelled", "change.failed", "change.held")


def heard(change: Change, act: str, facts: dict[str, Any]) -> None:
    """Called by `changes.record.note` within the transaction of the act (CUSTODY_LISTENER).

    A change that needed nobody's agreement ends before the eyes of whoever asked, so only its trouble is told.
    """
    if act not in ACTS:
        return
    if act == "change.held":
        if facts.get("why") != Held.WINDOW:  # a window opens by itself
            _tell(Kind.RUN_WAITING, change, why=str(facts.get("why", "")))
        return
    kind = ENDS.get(State(change.state))
    if kind is None:  # asked to stop, not stopped
        return
    if kind == Kind.RUN_FAILED or Ticket.objects.filter(change_id=change.pk).exists():
        _tell(kind, change, applied=int(change.applied), skipped=int(change.skipped))


def _tell(kind: Kind, change: Change, **facts: int | str) -> None:
    ticket = Ticket.objects.filter(change_id=change.pk).first()
    tell(kind, ticket=ticket, change=change, persons=[change.requester_person_id], facts=facts)
