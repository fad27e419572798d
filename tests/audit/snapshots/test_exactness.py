"""Snapshots beside writers: whatever they do, each snapshot says row by row what a reader of that instant saw."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from django.db import connection

from audit.snapshots import sql, state, ticks
from audit.snapshots.comparing import Comparison
from audit.snapshots.recorded import recorded
from audit.snapshots.taking import take
from foundation.actor import Actor
from foundation.postgres.transactions import consistent
from shop.models import UserTag
from tests.personas import customer, tags

KEYS, SNAPSHOTS = 40, 80
WRITES = (
    "UPDATE shop_usertag SET weight = weight + 1 WHERE id = {key}",
    "UPDATE shop_usertag SET weight = weight + 0.5 WHERE id IN ({key}, {other})",
    "UPDATE shop_usertag SET is_deleted = NOT is_deleted WHERE id = {key}",
    "DELETE FROM shop_usertag WHERE id = {key}",
    "INSERT INTO shop_usertag (id, tenant_id, customer_id, tag, weight, source) "
    "VALUES ({key}, 1, {buyer}, 'again', 0, '') ON CONFLICT DO NOTHING",
)


class Writers:
    """Four connections that commit, roll back, and roll back to savepoints, until told to stop."""

    def __init__(self, real_db: Any, keys: list[int], buyer: int) -> None:
        self.real_db, self.keys, self.buyer = real_db, keys, buyer
        self.over, self.commits = threading.Event(), 0
        self.threads = [threading.Thread(target=self._write, args=(seed,)) for seed in range(4)]
        self.threads.append(threading.Thread(target=self._tick))

    def _write(self, seed: int) -> None:
        chance = random.Random(seed)
        with self.real_db.owner() as login:
            login.execute("SET custody.all_tenants = 'on'; SET lock_timeout = '50ms'")
            while not self.over.is_set():
                try:
                    with login.transaction():
                        self._some(login, chance)
                        if chance.random() < 0.3:
                            with login.transaction():
                                self._some(login, chance)
                                if chance.random() < 0.5:
                                    raise psycopg.Rollback
                        if chance.random() < 0.2:
                            raise psycopg.Rollback
                except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                    continue
                self.commits += 1

    def _some(self, login: Any, chance: random.Random) -> None:
        for _ in range(chance.randint(1, 3)):
            key, other = sorted(chance.sample(self.keys, 2))
            login.execute(chance.choice(WRITES).format(key=key, other=other, buyer=self.buyer))

    def _tick(self) -> None:
        with self.real_db.app() as login:
            while not self.over.wait(0.03):
                login.execute("SELECT custody.tick()")


@contextmanager
def writing(writers: Writers) -> Iterator[None]:
    for thread in writers.threads:
        thread.start()
    try:
        yield
    finally:
        writers.over.set()
        for thread in writers.threads:
            thread.join()


def _read(statement: str, parameters: Any = ()) -> dict[int, tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return {row[0]: row[1:] for row in cursor.fetchall()}


COLUMNS = "id, weight, is_deleted, tag"
BY_TIME = (
    f"SELECT {COLUMNS} FROM (SELECT DISTINCT ON (id) * FROM shop_historicalusertag WHERE history_date <= %s "
    "ORDER BY id, history_date DESC, history_id DESC) h WHERE history_type <> '-'"
)
BY_XID = (
    f"SELECT {COLUMNS} FROM (SELECT DISTINCT ON (id) * FROM shop_historicalusertag "
    "WHERE pg_visible_in_snapshot(xid, %s::pg_snapshot) ORDER BY id, xid DESC, history_id DESC) h WHERE history_type <> '-'"
)


def _state(shot: Any) -> dict[int, tuple[Any, ...]]:
    ids = sql.state_at(recorded(UserTag), state.of_snapshot(shot), tenant_id=1)
    return _read(
        f"SELECT h.id, h.weight, h.is_deleted, h.tag FROM ({ids}) s JOIN shop_historicalusertag h USING (history_id)"
    )


@pytest.fixture
def race(real_db: Any, at_work: Actor) -> list[tuple[Any, dict[int, tuple[Any, ...]]]]:
    """Snapshots taken while four writers worked, each with the rows a reader saw in the very same transaction."""
    buyer = customer()
    writers = Writers(real_db, [row.pk for row in tags(KEYS, customer=buyer)], buyer.pk)
    seen = []
    with writing(writers):
        for number in range(SNAPSHOTS):
            with consistent():
                shot = take(f"r{number}", entities=[UserTag], actor=at_work)
                seen.append((shot, _read(f"SELECT {COLUMNS} FROM shop_usertag")))
    assert writers.commits > SNAPSHOTS
    return seen


def test_every_snapshot_is_what_a_reader_of_that_instant_saw(race: list[Any]) -> None:
    assert [shot.name for shot, seen in race if _state(shot) != seen] == []
    _comparisons_are_the_difference(race)
    # Sabotage: the same data, read by time or with “last” by transaction id, do not hold.
    assert sum(_read(BY_TIME, [shot.taken_at]) != seen for shot, seen in race) > 0
    assert sum(_read(BY_XID, [shot.pg_snapshot]) != seen for shot, seen in race) > 0


def _comparisons_are_the_difference(race: list[Any]) -> None:
    pairs = [*pairwise(race), (race[0], race[-1]), (race[-1], race[3])]
    for (a, in_a), (b, in_b) in pairs:
        comparison = Comparison(model=UserTag, a=state.of_snapshot(a), b=state.of_snapshot(b), tenant_id=1)
        found = {d.key[0]: d.kind for d in comparison.page(limit=1000)}
        there_a, there_b = ({k for k, row in seen.items() if not row[1]} for seen in (in_a, in_b))
        assert {k for k, kind in found.items() if kind == "only_a"} == there_a - there_b
        assert {k for k, kind in found.items() if kind == "only_b"} == there_b - there_a
        changed = {k for k, kind in found.items() if kind == "changed"}
        assert {k for k in there_a & there_b if in_a[k] != in_b[k]} <= changed <= there_a & there_b
        totals = comparison.totals()
        assert (totals.rows, totals.changed) == (len(found), len(changed))


class TestFloor:
    """Up to the floor nothing can be new: an open writer's events never lie below it."""

    @pytest.fixture
    def in_flight(self, real_db: Any, snap: Callable[..., Any]) -> tuple[Any, Any]:
        """A row, and a snapshot taken after a tick while a writer of that row was open; it commits afterwards."""
        row = tags(1)[0]
        with real_db.owner() as writer:
            writer.execute("SET custody.all_tenants = 'on'")
            with writer.transaction():
                writer.execute("UPDATE shop_usertag SET weight = 9 WHERE id = %s", [row.pk])
                assert ticks.tick().last_event > 0
                shot = snap(UserTag)
        return row, shot

    def test_an_open_writer_keeps_the_floor_down(self, in_flight: tuple[Any, Any]) -> None:
        row, shot = in_flight
        comparison = Comparison(model=UserTag, a=state.of_snapshot(shot), b=state.NOW, tenant_id=1)
        assert [(d.key, d.fields) for d in comparison.page(limit=5)] == [((row.pk,), ("weight",))]

    def test_with_the_newest_tick_as_floor_the_change_would_be_missed(
        self, real_db: Any, snap: Callable[..., Any]
    ) -> None:
        with real_db.owner() as owner:
            owner.execute(
                "CREATE OR REPLACE FUNCTION custody.event_floor(of_era integer, state pg_snapshot) RETURNS bigint "
                "LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT max(last_event) FROM public.audit_tick'"
            )
        row = tags(1)[0]
        with real_db.owner() as writer:
            writer.execute("SET custody.all_tenants = 'on'")
            with writer.transaction():
                writer.execute("UPDATE shop_usertag SET weight = 9 WHERE id = %s", [row.pk])
                ticks.tick()
                shot = snap(UserTag)
        comparison = Comparison(model=UserTag, a=state.of_snapshot(shot), b=state.NOW, tenant_id=1)
        assert comparison.page(limit=5) == []

    def test_a_tick_counts_once_every_older_transaction_has_ended(self, at_work: Actor) -> None:
        tags(3)
        tick = ticks.tick()
        assert tick.last_event > 0
        assert state.event_floor(tick.era, f"{tick.xid + 1}:{tick.xid + 9}:") == tick.last_event
        assert state.event_floor(tick.era, f"{tick.xid}:{tick.xid + 9}:{tick.xid}") < tick.last_event
        assert state.event_floor(tick.era + 1, f"{tick.xid + 1}:{tick.xid + 9}:") == 0

    def test_a_tick_inside_a_transaction_that_has_written_promises_nothing(self, at_work: Actor) -> None:
        from django.db import transaction

        with transaction.atomic():
            tags(1)
            assert ticks.tick().last_event == 0
