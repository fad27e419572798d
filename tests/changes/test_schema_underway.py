"""A table that changes under a run: the run holds itself, says what has changed, and goes on only with what it writes."""

from __future__ import annotations

from typing import Any

import pytest

from changes import execution
from changes.errors import ColumnsMissing, TooMuchDrift
from changes.models import Change
from changes.states import Held, State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.journey import ask, keys_of, one_chunk, start, undo, work
from tests.personas import orders


@pytest.fixture
def running(real_db: Any, operator: Actor, chunks_of_two: None) -> Change:
    """Ten orders, of which the first two are gone."""
    with acting(operator):
        change = ask(operator, "shop.order", keys_of(orders(10))).change
    one_chunk(change)
    return change


def alter(real_db: Any, statement: str) -> None:
    with real_db.owner() as owner:
        owner.execute(f"ALTER TABLE shop_order {statement}")


def test_a_new_column_holds_the_run_and_a_person_lets_it_go_on(real_db: Any, running: Change, operator: Actor) -> None:
    alter(real_db, "ADD COLUMN extra integer")
    held = work(running)
    assert (held.state, held.held) == (State.PAUSED, Held.SCHEMA)
    assert held.held_facts["moved"] == ['"public"."shop_order": + extra integer'.replace('"public".', _prefix(held))]
    start(held, operator)
    done = work(held)
    assert (done.state, done.applied, done.skipped) == (State.DONE, 10, 0)
    assert undo(done, operator).applied == 10


def _prefix(held: Change) -> str:
    return str(held.held_facts["moved"][0]).split('"shop_order"')[0]


def test_a_column_it_writes_that_is_gone_keeps_it_held(real_db: Any, running: Change, operator: Actor) -> None:
    alter(real_db, "DROP COLUMN retention_policy CASCADE")
    held = work(running)
    assert held.held == Held.SCHEMA
    with pytest.raises(ColumnsMissing) as refused:
        start(held, operator)
    assert "retention_policy" in refused.value.facts["missing"]
    with acting(operator):
        execution.cancel(held.pk, actor=operator)
    stopped = work(held)
    assert (stopped.state, stopped.applied) == (State.CANCELLED, 2)


def test_a_column_of_another_type_keeps_it_held_until_it_is_back(
    real_db: Any, running: Change, operator: Actor
) -> None:
    alter(real_db, "ALTER COLUMN note TYPE varchar(9000)")
    held = work(running)
    with pytest.raises(ColumnsMissing) as refused:
        start(held, operator)
    assert "→" in refused.value.facts["missing"]
    alter(real_db, "ALTER COLUMN note TYPE text")
    start(held, operator)
    assert work(held).state == State.DONE


def test_a_table_that_was_written_anew_asks_people_again(
    real_db: Any, running: Change, operator: Actor, settings: Any
) -> None:
    """A rewrite gives every row another version: what is left would all be left alone."""
    settings.CUSTODY_DRIFT_ROWS = 1
    alter(real_db, "ADD COLUMN extra uuid DEFAULT gen_random_uuid()")
    held = work(running)
    assert held.held == Held.SCHEMA
    with pytest.raises(TooMuchDrift):
        start(held, operator)
    with acting(operator):
        assert Order.objects.count() == 8


def test_two_workers_at_once_hold_it_once(real_db: Any, running: Change, operator: Actor) -> None:
    from audit.models import Event
    from changes.moving import hold
    from tests.changes.test_races import as_actor, at_once

    worker = Actor.service("worker", tenant_id=1)
    results = at_once(*[as_actor(worker, hold, running, Held.SCHEMA, moved=["x"])] * 2)
    assert sorted(results) == [False, True]
    with acting(operator):
        assert Event.objects.filter(change_id=running.pk, action="change.held").count() == 1
