"""Starting what people agreed to. A change whose rows have changed too much since then goes back to them."""

from __future__ import annotations

from access.enforcement import allowed
from approvals import tickets
from approvals.errors import BackToVoting
from approvals.models import Ticket
from changes import execution, preflight
from changes.errors import TooMuchDrift
from changes.models import Change
from changes.states import State
from foundation.actor import Actor
from foundation.postgres.transactions import durable


def start(change_id: int, *, actor: Actor) -> Change:
    """Start a cleared change, or go on with a paused or failed one: see `changes.execution.start`.

    Raises PreflightBlocks, and BackToVoting when more has drifted than may: the ticket begins a new round, in which people see the drift.
    A change that needed no ticket is refused (TooMuchDrift), and so is one that has begun.
    """
    if allowed(actor, "change.start", f"C-{change_id}"):
        preflight.before_start(change_id, actor)
    try:
        return execution.start(change_id, actor=actor)
    except TooMuchDrift as drifted:
        change = execution.get(change_id)
        ticket = Ticket.objects.filter(change_id=change.pk).first()
        if ticket is None or change.state not in (State.CLEARED, State.WAITING):  # waiting: another start was faster
            raise
        _ask_again(change, ticket, drifted)
        facts = {name: drifted.facts[name] for name in ("rows", "total", "limit")}
        raise BackToVoting(change_id=change.pk, ticket_id=ticket.pk, **facts) from drifted


def _ask_again(change: Change, ticket: Ticket, drifted: TooMuchDrift) -> None:
    """Two starts at once: the second finds the change waiting already, and says so (WrongState)."""
    with durable():
        execution.move(change, State.WAITING, seen=State.CLEARED, cleared_at=None, drift=drifted.facts["report"])
        tickets.reopen(ticket, rows=int(drifted.facts["rows"]))
