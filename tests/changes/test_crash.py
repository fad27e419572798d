"""SIGKILL at every SQL statement of a run: nothing is lost, doubled or half done, whoever continues.

The kill is real and in another process; statements are counted, so that each of them has its turn as more
statements appear. Every trial starts from the same state, in a database of its own.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.db import connection

from audit.models import Event
from changes.models import Change, Lane
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order, OrderItem
from tests.databases import RealDatabase
from tests.journey import ask, checksum, keys_of, undo, work
from tests.personas import order_with_items
from tests.servers import PROJECT

pytestmark = pytest.mark.embedded
TABLES = ("shop_order", "shop_orderitem")


def crash(real_db: RealDatabase, change: Change, number: int, moment: str) -> bool:
    """Let a worker die at its Nth statement. Return whether it came that far."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.changes.crashing_worker", str(change.pk), str(number), moment],
        cwd=PROJECT,
        env=real_db.env | {"CUSTODY_CHUNK_ROWS": "2"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, -9), done.stderr[-2000:]
    return done.returncode == -9


def forget_leases() -> None:
    """As if ten seconds had gone by."""
    Lane.objects.update(heartbeat_at="2020-01-01T00:00Z")


def consistent(change: Change, asked: int) -> None:
    """What must hold at any moment: rows, history, events, cursors and counts tell the same story."""
    gone = Order.deleted.count() + OrderItem.deleted.count()
    history = sum(model.history.filter(change_id=change.pk).count() for model in (Order, OrderItem))
    events = sum(Event.objects.filter(change_id=change.pk, operation="~").values_list("affected_rows", flat=True))
    lanes = list(Lane.objects.filter(change=change))
    assert gone == history == events == sum(lane.applied for lane in lanes)
    with connection.cursor() as cursor:
        for lane in lanes:
            cursor.execute(
                "SELECT count(*) FROM changes_frozenrow WHERE change_id = %s AND part = %s AND position <= %s",
                [change.pk, lane.part, lane.cursor],
            )
            assert cursor.fetchone() == (lane.applied + lane.skipped,)
    assert gone <= asked


def numbers(step: int) -> Iterator[int]:
    """Every statement when CI asks for all of them, else every `step`th with a few dense ones."""
    return itertools.count(1) if os.environ.get("CRASH_POINTS") == "all" else itertools.count(3, step)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_killed_at_any_statement_of_a_delete(real_db: RealDatabase, operator: Actor, moment: str) -> None:
    trials = 0
    with acting(operator):
        made = [order_with_items(2) for _ in range(2)]
        before = checksum(*TABLES)
        for number in numbers(9):
            change = ask(operator, "shop.order", keys_of(made)).change
            killed = crash(real_db, change, number, moment)
            consistent(change, asked=6)
            forget_leases()
            assert work(change).state == State.DONE
            consistent_end(change, 6)
            undo(change, operator)
            assert checksum(*TABLES) == before
            trials += 1
            if not killed:
                break
    assert trials > 4


def consistent_end(change: Change, rows: int) -> None:
    assert (change.applied, change.skipped) == (rows, 0)
    assert change.verification is not None
    assert change.verification["equal"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_killed_at_any_statement_of_an_undo(real_db: RealDatabase, operator: Actor, moment: str) -> None:
    from approvals import gate
    from tests.journey import REASON

    with acting(operator):
        made = [order_with_items(2) for _ in range(2)]
        before = checksum(*TABLES)
        for number in numbers(11):
            change = work(ask(operator, "shop.order", keys_of(made)).change)
            back = gate.request_undo(change.pk, actor=operator, reason=REASON).change
            killed = crash(real_db, back, number, moment)
            forget_leases()
            assert work(back).state == State.DONE
            consistent_end(back, 6)
            assert checksum(*TABLES) == before
            if not killed:
                break


def test_a_killed_worker_repeats_at_most_one_chunk(real_db: RealDatabase, operator: Actor, chunks_of_two: None) -> None:
    with acting(operator):
        made = [order_with_items(0) for _ in range(8)]
        change = ask(operator, "shop.order", keys_of(made)).change
        crash(real_db, change, 45, "before")
        done_before = Order.deleted.count()
        forget_leases()
        chunks = Lane.objects.get(change=change).chunks
        assert done_before == chunks * 2 > 0
        assert work(change).applied == 8
        assert Lane.objects.get(change=change).chunks == 4
