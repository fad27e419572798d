"""The sweeper needs no memory: it finds what should move and does not, and wakes that and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from changes import execution, lanes, moving, sweeping
from changes.models import Change, Heartbeat, Lane
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.journey import ask, keys_of, one_chunk, work
from tests.personas import customer, order_with_items, orders


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Change ids of the messages that would be sent."""
    sent: list[int] = []
    monkeypatch.setattr(moving.current_app, "send_task", lambda name, args: sent.append(args[0]))
    return sent


@pytest.mark.django_db
class TestStalled:
    @pytest.fixture
    def running(self, at_work: Actor, chunks_of_two: None) -> Change:
        return ask(at_work, "shop.order", keys_of(orders(6))).change

    def test_a_change_nobody_works_on_is_woken(self, running: Change, messages: list[int]) -> None:
        assert sweeping.sweep() == 1
        assert messages == [running.pk]

    def test_a_change_somebody_works_on_is_not(self, running: Change, messages: list[int]) -> None:
        lanes.claim(running, "busy")
        assert sweeping.sweep() == 0
        assert messages == []

    def test_a_lane_left_behind_for_longer_than_the_lease_is(self, running: Change, messages: list[int]) -> None:
        lanes.claim(running, "dead")
        Lane.objects.update(heartbeat_at="2020-01-01T00:00Z")
        assert sweeping.sweep() == 1

    def test_a_change_that_only_lacks_its_end_is_ended(self, running: Change, messages: list[int]) -> None:
        for _ in range(4):
            one_chunk(running)
        assert not lanes.unfinished(running)
        assert sweeping.sweep() == 1
        assert work(running).state == State.DONE
        assert sweeping.sweep() == 0

    def test_lanes_that_wait_for_an_earlier_step_wake_nobody(
        self, at_work: Actor, chunks_of_two: None, messages: list[int]
    ) -> None:
        buyer = customer()
        order_with_items(3, customer_=buyer)
        change = ask(at_work, "shop.customer", keys_of([buyer]), cascade_also=["shop.order.customer"]).change
        assert Lane.objects.filter(change=change).count() == 3
        execution.wake(change)
        assert messages == [change.pk]
        lanes.claim(change, "busy")
        assert sweeping.sweep() == 0

    @pytest.mark.parametrize("state", ["waiting", "done", "cancelled"])
    def test_what_does_not_run_is_left_alone(self, at_work: Actor, messages: list[int], state: str) -> None:
        change = ask(at_work, "shop.order", keys_of(orders(12 if state == "waiting" else 2))).change
        if state == "cancelled":
            execution.cancel(change.pk, actor=at_work)
        work(change)
        assert change.state == state
        assert sweeping.sweep() == 0
        assert messages == []

    def test_it_says_that_it_lives(self, db: None) -> None:
        sweeping.sweep()
        assert Heartbeat.objects.get(name="worker").at is not None


def test_changes_of_all_tenants_are_finished_without_a_broker(real_db: Any, operator: Actor, persona: Any) -> None:
    theirs = persona("operator", name="Their Operator", tenant=2)
    for actor in (operator, theirs):
        with acting(actor):
            made = orders(3)
        ask(actor, "shop.order", keys_of(made))
    assert sweeping.run_pending(worker="clerk") == 2
    for actor in (operator, theirs):
        with acting(actor):
            assert Order.objects.count() == 0
            assert Change.objects.get().state == State.DONE


def test_a_lane_left_behind_is_waited_for(real_db: Any, operator: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "STALE_SECONDS", 1)
    with acting(operator):
        change = ask(operator, "shop.order", keys_of(orders(3))).change
        lanes.claim(change, "dead")
    sweeping.run_pending(worker="clerk")
    with acting(operator):
        change.refresh_from_db()
        assert (change.state, change.applied) == (State.DONE, 3)


def test_a_real_worker_takes_a_message_and_ends_the_change(
    real_db: Any, worker_process: Any, operator: Actor, approver: Actor
) -> None:
    """The whole way over a real broker; nothing here works on the change itself."""
    import time

    from tests.journey import agree, start

    with acting(operator):
        made = orders(12)
    outcome = ask(operator, "shop.order", keys_of(made))
    agree(outcome.ticket, approver)
    start(outcome.change, operator)
    deadline = time.monotonic() + 30
    with acting(operator):
        while outcome.change.state != State.DONE:
            assert time.monotonic() < deadline, worker_process.log.read_text()[-2000:]
            time.sleep(0.05)
            outcome.change.refresh_from_db()
    assert outcome.change.applied == 12
