"""A run waits for others, says for what, and never for ever."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from changes import throttling
from changes.models import Change, Lane
from changes.states import State
from changes.throttling import locks, maintenance, replicas, wal
from changes.throttling.reading import Reading, Watched
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.journey import ask, keys_of, work
from tests.personas import orders

ORDERS = Watched(('"public"."shop_order"',))
LOUD = "tests.changes.test_throttling.loud"
pressure: dict[str, float] = {}


def loud(watched: Watched) -> Reading | None:
    """A signal of a layer above, as the setting names it."""
    return Reading("loud", pressure["value"], 10) if pressure else None


@pytest.fixture(autouse=True)
def quiet(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pressure.clear()
    settings.CUSTODY_THROTTLES = [LOUD]
    monkeypatch.setattr(throttling, "SAMPLE_S", -1)


def until_it_waits(watcher: psycopg.Connection, one: psycopg.Connection) -> None:
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND waitstart < clock_timestamp() - interval '5 ms' AND pid = %s"
    while watcher.execute(waits, [one.info.backend_pid]).fetchone() == (0,):
        pass


def look_again() -> None:
    """As if the lane had rested."""
    Lane.objects.update(not_before=None)


@pytest.mark.django_db
class TestWaiting:
    @pytest.fixture
    def running(self, at_work: Actor, settings: Any) -> Change:
        settings.CUSTODY_CHUNK_ROWS = 10
        settings.CUSTODY_DRIFT_ROWS = 100
        return ask(at_work, "shop.order", keys_of(orders(10))).change

    def test_beyond_its_limit_a_signal_makes_the_run_wait_and_say_for_what(self, running: Change) -> None:
        pressure["value"] = 12
        assert work(running).state == State.RUNNING
        lane = Lane.objects.get(change=running)
        assert lane.waiting == {"signal": "loud", "value": 12, "limit": 10}
        assert (lane.worker, lane.applied, Order.deleted.count()) == ("", 0, 0)

    def test_when_it_is_over_the_run_goes_on(self, running: Change) -> None:
        pressure["value"] = 12
        work(running)
        pressure["value"] = 10
        look_again()
        assert work(running).state == State.DONE
        assert Lane.objects.get(change=running).waiting is None

    def test_after_a_while_a_small_chunk_goes_through(self, running: Change, settings: Any) -> None:
        settings.CUSTODY_THROTTLE_PATIENCE = 0
        pressure["value"] = 12
        work(running)
        look_again()
        work(running)
        lane = Lane.objects.get(change=running)
        assert (lane.applied, lane.worker, lane.waiting["signal"]) == (1, "", "loud")

    def test_it_never_stands_for_ever(self, running: Change, settings: Any) -> None:
        settings.CUSTODY_THROTTLE_PATIENCE = 0
        pressure["value"] = 12
        for _ in range(12):
            work(running)
            look_again()
        assert work(running).state == State.DONE

    def test_it_can_be_stopped_while_it_waits(self, running: Change, at_work: Actor) -> None:
        from changes import execution

        pressure["value"] = 12
        work(running)
        execution.cancel(running.pk, actor=at_work)
        pressure.clear()
        assert work(running).state == State.CANCELLED


class TestSignals:
    """Each on a stock server, under the application's login."""

    def test_somebody_waits_for_a_row(self, real_db: Any, operator: Actor, settings: Any) -> None:
        settings.CUSTODY_THROTTLE_LOCK_WAIT = 0.001
        with acting(operator):
            made = orders(1)
            assert locks.waits(ORDERS) is None
        lock = f"SELECT FROM shop_order WHERE id = {made[0].pk} FOR UPDATE"
        with real_db.owner() as first, real_db.owner() as second, real_db.admin() as watcher:
            for connection in (first, second):
                connection.execute("SET custody.all_tenants = 'on'")
                connection.execute("BEGIN")
            first.execute(lock)
            second.pgconn.send_query(lock.encode())
            second.pgconn.flush()
            until_it_waits(watcher, second)
            with acting(operator):
                found = locks.waits(ORDERS)
                assert locks.waits(Watched(('"public"."shop_customer"',))) is None
            assert found is not None
            assert found.over
            second.close()

    def test_somebody_waits_for_the_table(self, real_db: Any, operator: Actor, settings: Any) -> None:
        settings.CUSTODY_THROTTLE_LOCK_WAIT = 0.001
        with real_db.owner() as first, real_db.owner() as second, real_db.admin() as watcher:
            first.execute("BEGIN")
            first.execute("LOCK TABLE shop_order IN ACCESS EXCLUSIVE MODE")
            second.pgconn.send_query(b"SELECT FROM shop_order LIMIT 1")
            second.pgconn.flush()
            until_it_waits(watcher, second)
            with acting(operator):
                found = locks.waits(ORDERS)
            assert found is not None
            assert found.over
            second.close()

    def test_maintenance_on_the_table(self, real_db: Any, operator: Actor, settings: Any) -> None:
        settings.CUSTODY_THROTTLE_MAINTENANCE = 1
        with real_db.owner() as owner:
            owner.execute("BEGIN")
            owner.execute("LOCK TABLE shop_order IN SHARE UPDATE EXCLUSIVE MODE")
            with acting(operator):
                found = maintenance.running(ORDERS)
            assert found is not None
            assert found.over
            owner.execute("ROLLBACK")
        with acting(operator):
            after = maintenance.running(ORDERS)
        assert after is not None
        assert not after.over

    def test_the_log_is_measured_between_two_looks(
        self, real_db: Any, operator: Actor, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(wal, "LEAST_S", 0)
        settings.CUSTODY_THROTTLE_WAL = 0.000001
        with acting(operator):
            assert wal.rate(ORDERS) is None
            orders(2_000)
            found = wal.rate(ORDERS)
        assert found is not None
        assert found.over

    def test_without_replicas_nothing_lags(self, real_db: Any, operator: Actor, settings: Any) -> None:
        settings.CUSTODY_THROTTLE_REPLICA_LAG = 1
        with acting(operator):
            assert replicas.lag(ORDERS) is None

    @pytest.mark.django_db
    def test_a_limit_of_nothing_turns_a_signal_off(self, settings: Any) -> None:
        for name in ("REPLICA_LAG", "LOCK_WAIT", "WAL", "MAINTENANCE"):
            setattr(settings, f"CUSTODY_THROTTLE_{name}", 0)
        assert [signal(ORDERS) for signal in throttling.SIGNALS] == [None] * 4
