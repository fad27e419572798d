"""The way of a change, in test-sized steps: ask, agree, start, work, undo. Every step is one of our verbs."""

from __future__ import annotations

from typing import Any

from django.db import connection

from approvals import decisions, gate
from approvals.gate import Outcome
from approvals.models import Ticket
from changes import execution
from changes.models import Change
from foundation.actor import Actor
from foundation.context import acting

REASON = "nobody needs these any more"


def keys_of(rows: Any) -> dict[str, Any]:
    """The selection that lists these rows."""
    return {"keys": [row.pk for row in rows]}


def ask(actor: Actor, entity: str, selection: Any, *, operation: str = "delete", **more: Any) -> Outcome:
    """Ask at the gate, as `actor`."""
    with acting(actor):
        return gate.request(actor, entity=entity, operation=operation, selection=selection, **{"reason": REASON} | more)


def agree(ticket: Ticket | None, *voters: Actor) -> None:
    """Each of the voters approves what the ticket holds."""
    assert ticket is not None, "there is no ticket to agree to"
    for voter in voters:
        with acting(voter):
            decisions.vote(ticket.pk, actor=voter, decision="approve", digest=ticket.digest)


def start(change: Change, actor: Actor) -> None:
    with acting(actor):
        execution.start(change.pk, actor=actor)


def work(change: Change, *, worker: str = "test") -> Change:
    """Work in this process until nothing is left to do."""
    with acting(Actor.service("worker", tenant_id=change.tenant_id), channel="task"):
        while execution.work(change.pk, worker=worker):
            pass
        change.refresh_from_db()
    return change


def carry_out(outcome: Outcome, actor: Actor, *voters: Actor) -> Change:
    """From an outcome of the gate to the end: votes and a start where there is a ticket."""
    change = outcome.change
    if outcome.ticket is not None:
        agree(outcome.ticket, *voters)
        start(change, actor)
    return work(change)


def undo(change: Change, actor: Actor, *voters: Actor) -> Change:
    """Ask to undo a change, and carry it out."""
    with acting(actor):
        outcome = gate.request_undo(change.pk, actor=actor, reason=REASON)
    return carry_out(outcome, actor, *voters)


def one_chunk(change: Change, *, worker: str = "test") -> None:
    """Do exactly one chunk of the change's next lane, and give the lane back."""
    from changes import chunks, lanes

    with acting(Actor.service("worker", tenant_id=change.tenant_id), channel="task"):
        from foundation import context

        with context.inside(change_id=change.pk, reason=change.reason):
            held = lanes.claim(change, worker)
            assert held is not None, "no lane is free"
            chunks.advance(change, held)
            lanes.release(held)


def checksum(*tables: str) -> dict[str, str]:
    """Every column of every row the context may see, per table, as PostgreSQL writes it."""
    sums = {}
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT coalesce(md5(string_agg(o::text, E'\\n' ORDER BY o::text)), '') FROM {table} o")
            sums[table] = cursor.fetchone()[0]
    return sums


SHOP = ("shop_customer", "shop_order", "shop_orderitem", "shop_usertag", "shop_behaviourlog")
