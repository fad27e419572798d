"""Scenes for the page tests, played through the product's own verbs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from approvals import decisions, gate
from changes import execution
from changes.models import Change
from foundation.actor import Actor
from foundation.context import acting
from tests.personas import orders

REASON = "Duplicates of the March import"


@contextmanager
def work(actor: Actor) -> Iterator[None]:
    with acting(actor, channel="page", reason=REASON):
        yield


def keys_of(rows: list[Any]) -> dict[str, Any]:
    return {"keys": [row.pk for row in rows]}


def ask(actor: Actor, amount: int = 12, *, rows: list[Any] | None = None, **more: Any) -> gate.Outcome:
    """A change of so many fresh orders: above ten it waits for approval."""
    with work(actor):
        chosen = orders(amount) if rows is None else rows
        asked = {"entity": "shop.order", "operation": "delete", "selection": keys_of(chosen), "reason": REASON}
        return gate.request(actor, **asked | more)


def approve(outcome: gate.Outcome, *approvers: Actor) -> None:
    assert outcome.ticket is not None
    for one in approvers:
        with work(one):
            decisions.vote(outcome.ticket.pk, actor=one, decision="approve", digest=outcome.ticket.digest)


def run(change: Change, actor: Actor) -> Change:
    """Start it if that is still to be done, and finish it in this process."""
    with work(actor):
        change.refresh_from_db()
        if change.state == "cleared":
            execution.start(change.pk, actor=actor)
        while execution.work(change.pk, worker="test"):
            pass
        change.refresh_from_db()
    return change


def only_change(actor: Actor, **conditions: Any) -> Change:
    """The one change that fits, seen as its tenant."""
    with work(actor):
        return Change.objects.get(**conditions)


def no_change(actor: Actor) -> bool:
    with work(actor):
        return not Change.objects.exists()
