"""A paused run keeps what is done, is touched by nobody, and goes on exactly where it stood."""

from __future__ import annotations

from typing import Any

import pytest

from access.errors import NotAllowed
from changes import chunks, execution, lanes
from changes.errors import NewDependants, WrongState
from changes.models import Change
from changes.states import State
from changes.sweeping import stalled
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.changes.crashing_worker import DyingWorkers
from tests.changes.test_crash import forget_leases
from tests.changes.test_races import as_actor, at_once, refusals
from tests.journey import agree, ask, keys_of, one_chunk, start, undo, work
from tests.personas import item, orders


@pytest.fixture
def running(operator: Actor, approver: Actor, chunks_of_two: None) -> Change:
    """Twelve orders, of which the first two are gone."""
    with acting(operator):
        outcome = ask(operator, "shop.order", keys_of(orders(12)))
    agree(outcome.ticket, approver)
    start(outcome.change, operator)
    one_chunk(outcome.change)
    return outcome.change


def pause(change: Change, actor: Actor) -> Change:
    with acting(actor):
        return execution.pause(change.pk, actor=actor)


@pytest.mark.django_db
class TestPaused:
    @pytest.fixture
    def paused(self, running: Change, operator: Actor) -> Change:
        return pause(running, operator)

    def test_nobody_works_on_it(self, paused: Change, operator: Actor) -> None:
        assert work(paused).state == State.PAUSED
        with acting(operator):
            assert (Order.deleted.count(), lanes.claimable(paused), stalled()) == (2, 0, [])

    def test_a_worker_that_holds_a_lane_gives_it_back(self, running: Change, operator: Actor) -> None:
        with acting(Actor.service("worker", tenant_id=1)):
            held = lanes.claim(running, "busy")
            assert held is not None
        pause(running, operator)
        with acting(Actor.service("worker", tenant_id=1)):
            assert not chunks.advance(running, held)
            assert list(running.lanes.values_list("worker", "state")) == [("", "open")]

    def test_it_goes_on_where_it_stood_and_keeps_its_start(self, paused: Change, operator: Actor) -> None:
        began = paused.started_at
        start(paused, operator)
        done = work(paused)
        assert (done.state, done.applied, done.skipped, done.started_at) == (State.DONE, 12, 0, began)
        assert done.verification["equal"]

    def test_it_can_be_stopped_for_good_and_undone(self, paused: Change, operator: Actor, approver: Actor) -> None:
        with acting(operator):
            execution.cancel(paused.pk, actor=operator)
        stopped = work(paused)
        assert (stopped.state, stopped.applied) == (State.CANCELLED, 2)
        assert undo(stopped, operator).applied == 2

    def test_rows_that_would_be_left_behind_are_asked_about_before_it_goes_on(
        self, paused: Change, operator: Actor
    ) -> None:
        with acting(operator):
            item(Order.objects.order_by("-pk").first())
        with pytest.raises(NewDependants):
            start(paused, operator)

    def test_the_record_names_who_paused_and_who_went_on(self, paused: Change, operator: Actor) -> None:
        from audit.models import Event

        start(paused, operator)
        acts = Event.objects.filter(change_id=paused.pk, action__in=["change.paused", "change.resumed"])
        with acting(operator):
            told = list(acts.order_by("pk").values_list("action", "operator_name"))
        assert told == [("change.paused", operator.name), ("change.resumed", operator.name)]

    def test_a_change_that_does_not_run_is_not_paused(self, paused: Change, operator: Actor) -> None:
        with pytest.raises(WrongState):
            pause(paused, operator)
        start(paused, operator)
        work(paused)
        with pytest.raises(WrongState):
            pause(paused, operator)

    def test_only_who_may_run_may_pause(self, running: Change, approver: Actor, auditor: Actor) -> None:
        for other in (approver, auditor):
            with pytest.raises(NotAllowed):
                pause(running, other)


def test_of_pause_and_stop_at_once_none_is_lost(real_db: Any, running: Change, operator: Actor) -> None:
    """Either the pause came first and was stopped, or it was too late."""
    results = at_once(
        as_actor(operator, execution.pause, running.pk, actor=operator),
        as_actor(operator, execution.cancel, running.pk, actor=operator),
    )
    assert refusals(results) in ([], ["wrong_state"])
    assert work(running).state == State.CANCELLED


@pytest.mark.embedded
def test_a_worker_killed_while_it_is_paused_leaves_nothing_half_done(
    workers: DyingWorkers, running: Change, operator: Actor
) -> None:
    assert workers.crash(running.pk, 12, "after")
    pause(running, operator)
    with acting(operator):
        gone = Order.deleted.count()
        assert gone % 2 == 0
        forget_leases()
    assert work(running).state == State.PAUSED
    start(running, operator)
    done = work(running)
    assert (done.state, done.applied) == (State.DONE, 12)
