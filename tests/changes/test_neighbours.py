"""Neighbours first: in a deadlock it is always our chunk that gives way, and a lock is waited for by time."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from changes.models import Lane
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from tests.journey import agree, ask, keys_of, start, work
from tests.personas import orders

ROUNDS = 12
WAITING = (
    "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE NOT l.granted AND a.datname = current_database()"
)


def neighbour(real_db: Any) -> psycopg.Connection:
    found = real_db.owner()
    found.execute("SET custody.all_tenants = 'on'")
    return found


def touch(connection: psycopg.Connection, key: int) -> None:
    connection.execute("SELECT FROM shop_order WHERE id = %s FOR NO KEY UPDATE", [key])


def test_the_neighbour_is_never_the_victim_of_a_deadlock(real_db: Any, operator: Actor, approver: Actor) -> None:
    """The neighbour holds the last row and wants the first, which the chunk holds while it waits for the last."""
    victims = 0
    for _ in range(ROUNDS):
        with acting(operator):
            made = orders(12)
        outcome = ask(operator, "shop.order", keys_of(made))
        agree(outcome.ticket, approver)
        start(outcome.change, operator)
        with neighbour(real_db) as other:
            other.execute("BEGIN")
            touch(other, made[-1].pk)
            run = threading.Thread(target=work, args=[outcome.change])
            run.start()
            _wait_until_somebody_waits(real_db)
            try:
                touch(other, made[0].pk)
            except psycopg.errors.DeadlockDetected:
                victims += 1
                other.execute("ROLLBACK")
            else:
                other.execute("COMMIT")
            run.join()
        with acting(operator):
            outcome.change.refresh_from_db()
            assert (outcome.change.state, outcome.change.applied) == (State.DONE, 12)
    assert victims == 0


def _wait_until_somebody_waits(real_db: Any) -> None:
    with real_db.admin() as watcher:
        while watcher.execute(WAITING).fetchone() == (0,):
            pass


def test_with_a_long_wait_the_neighbour_would_be_the_victim(
    real_db: Any, operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sabotage of the test above: a chunk that waits longer than the server takes to look for deadlocks."""
    from changes import applying, chunks

    long = "SELECT set_config('lock_timeout', '20s', true), set_config('statement_timeout', '20s', true)"
    monkeypatch.setattr(applying, "TAKE_LOCKS", long)
    monkeypatch.setattr(chunks, "GUARDS", long)
    with acting(operator):
        made = orders(12)
    outcome = ask(operator, "shop.order", keys_of(made))
    agree(outcome.ticket, approver)
    start(outcome.change, operator)
    with neighbour(real_db) as other:
        other.execute("BEGIN")
        # Whoever looks first finds the circle; the chunk began to wait before the neighbour, so it looks later here.
        touch(other, made[-1].pk)
        with real_db.admin() as admin:
            admin.execute("ALTER ROLE custody_app SET deadlock_timeout = '20s'")
        try:
            from django.db import connections

            connections.close_all()
            run = threading.Thread(target=work, args=[outcome.change])
            run.start()
            _wait_until_somebody_waits(real_db)
            with pytest.raises(psycopg.errors.DeadlockDetected):
                touch(other, made[0].pk)
            other.execute("ROLLBACK")
            run.join()
        finally:
            with real_db.admin() as admin:
                admin.execute("ALTER ROLE custody_app RESET deadlock_timeout")


def test_a_lock_is_waited_for_by_time_not_by_attempts(
    real_db: Any, operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from changes import chunks

    monkeypatch.setattr(chunks, "ATTEMPTS", 1)
    monkeypatch.setattr(chunks, "KEEP_TRYING_S", 0)
    with acting(operator):
        made = orders(12)
    outcome = ask(operator, "shop.order", keys_of(made))
    agree(outcome.ticket, approver)
    start(outcome.change, operator)
    with neighbour(real_db) as other:
        other.execute("BEGIN")
        touch(other, made[3].pk)
        for _ in range(3):
            with acting(operator):
                Lane.objects.update(not_before=None)
            assert work(outcome.change).state == State.RUNNING
        with acting(operator):
            lane = Lane.objects.get(change=outcome.change)
            assert (lane.attempts, lane.waiting, lane.worker) == (0, {"signal": "row_locks"}, "")
        other.execute("ROLLBACK")
    with acting(operator):
        Lane.objects.update(not_before=None)
    done = work(outcome.change)
    with acting(operator):
        assert (done.state, done.applied, Lane.objects.get(change=done).waiting) == (State.DONE, 12, None)
