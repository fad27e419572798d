"""Twice at the same moment. The trials by the hundred are in `tests/approvals/test_race_trials.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from approvals import starting
from approvals.models import Ticket
from changes.errors import WrongState
from changes.models import Lane
from foundation.actor import Actor
from foundation.context import acting
from tests.approvals.known.tries import CLEARED, say, states, votes
from tests.changes.test_races import at_once, refusals
from tests.changes.test_races import vote as voting
from tests.journey import ask, keys_of
from tests.personas import orders


def test_one_person_many_times_at_once_is_one_vote(real_db: Any, operator: Actor, approver: Actor) -> None:
    """gitlab 10357: approving twice at the same moment counted twice."""
    with acting(operator):
        rows = orders(12)
    made = ask(operator, "shop.order", keys_of(rows)).ticket
    assert made is not None
    results = at_once(*[voting(made, approver)] * 8)
    assert set(refusals(results)) <= {"already_voted", "ticket_not_pending"}
    assert (len(refusals(results)), votes(made), states(made)) == (7, 1, CLEARED)


def test_it_starts_once(real_db: Any, operator: Actor, engineer: Actor, approver: Actor) -> None:
    """gitlab 10357 and celery 2856: two starts at the same moment are one."""
    with acting(operator):
        rows = orders(12)
    made = ask(operator, "shop.order", keys_of(rows)).ticket
    assert made is not None
    say(made, approver)
    results = at_once(*[starts(made, who) for who in (operator, engineer, operator, engineer)])
    assert len(refusals(results)) == 3
    with acting(operator):
        assert Lane.objects.filter(change_id=made.change_id).count() == 1
        with pytest.raises(WrongState):
            starting.start(made.change_id, actor=operator)


def starts(ticket: Ticket, who: Actor) -> Callable[[], Any]:
    def run_it() -> Any:
        with acting(who):
            return starting.start(ticket.change_id, actor=who)

    return run_it
