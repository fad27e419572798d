"""A trial: a first share of the rows, a time to watch, and a verdict that goes on, pauses or takes it back."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from audit.models import Event
from changes import canary, execution, sweeping
from changes.errors import BadCanary, NothingToUndo
from changes.models import Change, Lane, SkippedRow
from changes.states import Canary, Held, SkipReason, State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order, OrderItem
from tests.changes.crashing_worker import DyingWorkers
from tests.changes.test_crash import forget_leases
from tests.changes.test_faults import curse, lift
from tests.changes.test_races import as_actor, at_once
from tests.journey import agree, ask, checksum, keys_of, start, undo, work
from tests.personas import order_with_items, orders

TABLES = ("shop_order", "shop_orderitem")
TRIAL = {"percent": 20, "watch_s": 3600, "on_trouble": "take_back"}


def tried(operator: Actor, approver: Actor, rows: Any, **trial: Any) -> Change:
    """A change whose trial has run and is watched."""
    outcome = ask(operator, "shop.order", keys_of(rows), canary=TRIAL | trial)
    if outcome.ticket is not None:
        agree(outcome.ticket, approver)
        start(outcome.change, operator)
    return work(outcome.change)


def watched_long_enough(change: Change) -> None:
    """As if the time to watch were over."""
    with acting(Actor.service("worker", tenant_id=1)), connection.cursor() as cursor:
        cursor.execute("UPDATE changes_change SET canary_until = clock_timestamp() WHERE id = %s", [change.pk])


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("yes", "canary"),
        ({"share": 1}, "canary"),
        ({"percent": 0}, "canary.percent"),
        ({"percent": 26}, "canary.percent"),
        ({"percent": True}, "canary.percent"),
        ({"percent": "1"}, "canary.percent"),
        ({"watch_s": -1}, "canary.watch_s"),
        ({"watch_s": 1.5}, "canary.watch_s"),
        ({"on_trouble": "panic"}, "canary.on_trouble"),
    ],
)
def test_what_is_no_trial_is_refused_and_named(value: Any, field: str) -> None:
    with pytest.raises(BadCanary) as refused:
        canary.parse(value)
    assert refused.value.facts["field"] == field


def test_a_trial_is_one_percent_watched_for_a_minute_unless_said_otherwise() -> None:
    found = canary.parse({"on_trouble": "go_on"})
    assert found is not None
    assert found.as_json() == {"percent": 1, "watch_s": 60, "on_trouble": "go_on"}
    assert canary.parse(None) is None


@pytest.mark.django_db
class TestWatching:
    @pytest.fixture
    def watched(self, operator: Actor, approver: Actor, chunks_of_two: None) -> Change:
        with acting(operator):
            made = orders(12)
        return tried(operator, approver, made)

    def test_a_share_runs_and_then_it_holds(self, watched: Change, at_work: Actor) -> None:
        assert (watched.state, watched.canary, Order.deleted.count()) == (State.RUNNING, Canary.WATCHING, 3)
        assert work(watched).canary == Canary.WATCHING
        assert sweeping.stalled() == []

    def test_with_nothing_wrong_it_goes_on_after_the_time(
        self, watched: Change, at_work: Actor, approver: Actor
    ) -> None:
        watched_long_enough(watched)
        assert sweeping.stalled() == [watched]
        done = work(watched)
        assert (done.state, done.canary, done.applied) == (State.DONE, Canary.PASSED, 12)
        assert undo(done, at_work, approver).applied == 12

    def test_it_can_be_stopped_while_it_is_watched(self, watched: Change, at_work: Actor) -> None:
        execution.cancel(watched.pk, actor=at_work)
        stopped = work(watched)
        assert (stopped.state, stopped.applied) == (State.CANCELLED, 3)
        assert undo(stopped, at_work).applied == 3

    def test_it_can_be_paused_and_goes_on_watching(self, watched: Change, at_work: Actor) -> None:
        execution.pause(watched.pk, actor=at_work)
        watched_long_enough(watched)
        assert (work(watched).state, sweeping.stalled()) == (State.PAUSED, [])
        start(watched, at_work)
        assert work(watched).state == State.DONE


@pytest.mark.django_db
def test_dependants_keep_their_place_in_a_trial(at_work: Actor) -> None:
    made = [order_with_items(5) for _ in range(2)]
    change = ask(at_work, "shop.order", keys_of(made), canary=TRIAL).change
    work(change)
    assert (OrderItem.deleted.count(), Order.deleted.count()) == (2, 0)
    watched_long_enough(change)
    assert work(change).applied == 12


def test_too_many_rows_left_alone_are_trouble(real_db: Any, operator: Actor, approver: Actor) -> None:
    with acting(operator):
        made = orders(12)
    outcome = ask(operator, "shop.order", keys_of(made), canary=TRIAL | {"on_trouble": "pause"})
    agree(outcome.ticket, approver)
    with acting(operator):
        Order.objects.filter(pk=made[0].pk).update(note="kept")
        start(outcome.change, operator)
        work(outcome.change)
        watched_long_enough(outcome.change)
        held = work(outcome.change)
        assert (held.state, held.held) == (State.PAUSED, Held.CANARY)
        assert held.held_facts["wrong"] == [{"what": "left_alone", "rows": 1, "of": 3}]
        start(held, operator)
        assert (work(held).state, held.applied, held.canary) == (State.DONE, 11, Canary.PASSED)


class TestTakenBack:
    """Rows, history and counts balance, whatever happens meanwhile."""

    @pytest.fixture
    def bad(self, real_db: Any, operator: Actor, approver: Actor) -> Change:
        """Three of twelve orders tried, of which the database refused one; judged when the time is over."""
        with acting(operator):
            self.rows = orders(12)
            self.before = checksum("shop_order")
        curse(real_db, f"OLD.id = {self.rows[1].pk}")
        change = tried(operator, approver, self.rows)
        lift(real_db)
        watched_long_enough(change)
        return change

    def test_its_rows_are_what_they_were_and_the_change_ends_stopped(self, bad: Change, operator: Actor) -> None:
        ended = work(bad)
        with acting(operator):
            assert (ended.state, ended.applied, ended.skipped) == (State.CANCELLED, 0, 3)
            assert checksum("shop_order") == self.before
            assert ended.verification is not None
            assert (ended.verification["equal"], ended.verification["history_rows"]) == (True, 4)
            reasons = list(
                SkippedRow.objects.filter(change=ended).order_by("position").values_list("reason", flat=True)
            )
            assert reasons == [SkipReason.TAKEN_BACK, SkipReason.ERROR, SkipReason.TAKEN_BACK]
            told = Event.objects.get(change_id=ended.pk, action="change.taking_back")
            assert told.facts["wrong"] == [{"what": "errors", "rows": 1}, {"what": "left_alone", "rows": 1, "of": 3}]

    def test_an_undo_later_finds_nothing(self, bad: Change, operator: Actor) -> None:
        ended = work(bad)
        with pytest.raises(NothingToUndo):
            undo(ended, operator)

    def test_a_row_somebody_worked_on_since_stays_and_can_be_undone(self, bad: Change, operator: Actor) -> None:
        with acting(operator):
            Order.deleted.filter(pk=self.rows[0].pk).update(status="archived by hand")
        ended = work(bad)
        with acting(operator):
            assert (ended.state, ended.applied) == (State.CANCELLED, 1)
            assert list(Order.deleted.values_list("pk", flat=True)) == [self.rows[0].pk]
            assert ended.verification is not None
            assert ended.verification["equal"]

    @pytest.mark.embedded
    @pytest.mark.parametrize("number", [6, 20, 28, 34, 40])
    def test_a_worker_killed_while_it_takes_back_repeats_nothing(
        self, workers: DyingWorkers, bad: Change, operator: Actor, number: int
    ) -> None:
        workers.crash(bad.pk, number, "after")
        with acting(operator):
            forget_leases()
            ended = work(bad)
            assert (ended.state, ended.applied) == (State.CANCELLED, 0)
            assert checksum("shop_order") == self.before
            assert ended.verification is not None
            assert ended.verification["equal"]

    def test_two_judges_at_once_take_it_back_once(self, bad: Change, operator: Actor) -> None:
        judge = as_actor(Actor.service("worker", tenant_id=1), canary.step, bad)
        at_once(judge, judge)
        assert work(bad).applied == 0
        with acting(operator):
            assert Event.objects.filter(change_id=bad.pk, action="change.taking_back").count() == 1
            assert Lane.objects.filter(change=bad, canary=True).get().taken_back == 2
