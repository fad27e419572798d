"""Starting what people agreed to. A change whose rows, or whose voters, are not what they were goes back to them."""

from __future__ import annotations

import json
from typing import Any

from django.db import connection

from access.enforcement import allowed
from access.models import Tenant
from approvals import tickets
from approvals.errors import BackToVoting, VotesVoid
from approvals.models import Ticket, Vote
from changes import clock, execution, preflight
from changes.errors import TooMuchDrift
from changes.models import Change
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from foundation.errors import Conflict, Denied
from foundation.postgres.transactions import durable

AT_ONCE = 100


def start(change_id: int, *, actor: Actor) -> Change:
    """Start a cleared change, or go on with a paused or failed one: see `changes.execution.start`.

    Raises PreflightBlocks, BackToVoting when more has drifted than may, VotesVoid when who agreed may no longer decide:
    the ticket begins a new round. A change that needed no ticket is refused (TooMuchDrift), and so is one that has begun.
    """
    if allowed(actor, "change.start", f"C-{change_id}"):
        _refuse_void(execution.get(change_id))
        preflight.before_start(change_id, actor)
    try:
        return execution.start(change_id, actor=actor)
    except TooMuchDrift as drifted:
        change = execution.get(change_id)
        ticket = Ticket.objects.filter(change_id=change.pk).first()
        if ticket is None or change.state not in (State.CLEARED, State.WAITING):  # waiting: another start was faster
            raise
        _ask_again(change, ticket, rows=int(drifted.facts["rows"]), drift=drifted.facts["report"])
        facts = {name: drifted.facts[name] for name in ("rows", "total", "limit")}
        raise BackToVoting(change_id=change.pk, ticket_id=ticket.pk, **facts) from drifted


def _refuse_void(change: Change) -> None:
    ticket = Ticket.objects.filter(change_id=change.pk).first() if change.state == State.CLEARED else None
    if ticket is not None and not _is_agreed(ticket):
        names = ", ".join(_void(ticket))
        _ask_again(change, ticket, rows=change.rows_total)
        raise VotesVoid(change_id=change.pk, ticket_id=ticket.pk, names=names or "-")


def start_due() -> int:
    """Start what was agreed to under a rule that says so, in its open window, for all tenants; return how many.

    What cannot be started (its rows or voters are others by now, a lock) is left to people, who see why.
    """
    started = 0
    for tenant_id in Tenant.objects.values_list("pk", flat=True):
        with acting(Actor.service("scheduler", tenant_id=tenant_id), channel="task"):
            due = Ticket.objects.filter(
                state=Ticket.State.APPROVED,
                rule__start="window",
                change__state=State.CLEARED,
                change__options__has_key="window",
            ).select_related("change")
            for ticket in due.order_by("pk")[:AT_ONCE]:
                if clock.is_open(ticket.change):
                    started += _try(ticket.change_id, Actor.service("scheduler", tenant_id=tenant_id))
    return started


def _try(change_id: int, actor: Actor) -> int:
    try:
        start(change_id, actor=actor)
    except (Conflict, Denied):
        return 0
    return 1


def _ask_again(change: Change, ticket: Ticket, *, rows: int, **columns: Any) -> None:
    """Two starts at once: the second finds the change waiting already, and says so (WrongState)."""
    with durable():
        execution.move(change, State.WAITING, seen=State.CLEARED, cleared_at=None, **columns)
        tickets.reopen(ticket, rows=rows)


def _is_agreed(ticket: Ticket) -> bool:
    """Enough of those who agreed may still decide; the database asks the same when the change starts."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT custody.is_agreed(%s, %s, true)", [ticket.tenant_id, ticket.pk])
        return bool(cursor.fetchone()[0])


def _void(ticket: Ticket) -> list[str]:
    """Who agreed in this round and may decide no longer."""
    stages = ticket.rule.get("stages") or [{"group": "approver"}]
    votes = ticket.votes.filter(round=ticket.round, decision=Vote.Decision.APPROVE)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT v.name FROM public.approvals_vote v WHERE v.id = ANY(%s) AND NOT custody.entitled("
            "v.tenant_id, v.user_id, v.person_id, coalesce(%s::jsonb -> v.stage ->> 'group', 'approver')) ORDER BY v.id",
            [list(votes.values_list("pk", flat=True)), json.dumps(stages)],
        )
        return [name for (name,) in cursor.fetchall()]
