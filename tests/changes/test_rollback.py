"""A rollback takes tables back to a state of the past: all or nothing, exactly, as a change that can be undone."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from approvals import gate
from audit.models import Event
from audit.snapshots.errors import NotInSnapshot, SnapshotNotFound
from audit.snapshots.taking import take
from changes import applying
from changes.errors import BadOption, NothingDiffers
from changes.models import Change, SkippedRow
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Customer, Order, OrderItem
from tests.changes.test_undo_events import by_owner, reasons, sql
from tests.databases import RealDatabase
from tests.journey import REASON, SHOP, ask, carry_out, checksum, keys_of, undo, work
from tests.personas import customer, item, order, order_with_items, orders

ENTITIES = (Customer, Order, OrderItem)
LIVE = (
    "(SELECT * FROM shop_customer WHERE NOT is_deleted)",
    "(SELECT * FROM shop_order WHERE NOT is_deleted)",
    "(SELECT * FROM shop_orderitem WHERE NOT is_deleted)",
)


def snapshot(actor: Actor, *entities: Any) -> int:
    with acting(actor):
        return int(take(f"before {entities}", entities=entities or ENTITIES, actor=actor).pk)


def roll_back(actor: Actor, number: int, *voters: Actor, **options: Any) -> Change:
    with acting(actor):
        outcome = gate.rollback_to_snapshot(number, actor=actor, reason=REASON, options=options)
    assert outcome is not None
    return carry_out(outcome, actor, *voters)


@pytest.fixture
def scene(real_db: RealDatabase, engineer: Actor) -> tuple[RealDatabase, Actor, list[Any], dict[str, str], int]:
    """Three orders with lines, a snapshot of them, and how they were."""
    with acting(engineer):
        buyer = customer(score=float("-0.0"))
        customer(referred_by=buyer)
        made = [order_with_items(2, customer_=buyer) for _ in range(3)]
        before = checksum(*LIVE)
    return real_db, engineer, made, before, snapshot(engineer)


def test_everything_that_happened_since_is_taken_back(scene: Any) -> None:
    real_db, engineer, made, before, number = scene
    sql(
        engineer,
        "UPDATE shop_order SET note = 'slip', total = 0",
        f"UPDATE shop_order SET note = 'x' WHERE id = {made[0].pk}",
    )
    work(ask(engineer, "shop.order", keys_of(made[:1])).change)
    by_owner(
        real_db,
        engineer,
        f"DELETE FROM shop_orderitem WHERE order_id = {made[1].pk}",
        f"DELETE FROM shop_order WHERE id = {made[1].pk}",
    )
    with acting(engineer):
        fresh = order_with_items(2)
        item(made[2])
    back = roll_back(engineer, number)
    assert (back.state, back.skipped, back.error) == (State.DONE, 0, "")
    assert back.verification is not None
    assert back.verification["equal"]
    assert reasons(engineer, back) == {}
    with acting(engineer):
        assert checksum(*LIVE) == before
        assert Order.deleted.filter(pk=fresh.pk).exists(), "what was added is archived, never removed"
        act = Event.objects.get(action="ROLLED_BACK")
        assert act.change_id == back.pk
        assert act.facts["snapshot"] == number


def test_a_second_rollback_finds_nothing_to_do(scene: Any) -> None:
    _, engineer, _, _, number = scene
    sql(engineer, "UPDATE shop_order SET note = 'slip'")
    roll_back(engineer, number)
    with acting(engineer):
        assert gate.rollback_to_snapshot(number, actor=engineer, reason=REASON) is None
        with pytest.raises(NothingDiffers):
            gate.request(
                engineer, entity="shop.order", operation="rollback", selection=None, reason=REASON,
                options={"snapshot": number},
            )  # fmt: skip


def test_a_rollback_can_be_undone(scene: Any) -> None:
    real_db, engineer, made, _, number = scene
    sql(engineer, "UPDATE shop_order SET note = 'slip'")
    by_owner(real_db, engineer, f"DELETE FROM shop_orderitem WHERE order_id = {made[1].pk}")
    with acting(engineer):
        order()
        slipped = checksum(*LIVE)
    back = roll_back(engineer, number)
    undo(back, engineer)
    with acting(engineer):
        assert checksum(*LIVE) == slipped


def test_an_error_in_the_middle_takes_everything_back(
    scene: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import DatabaseError

    settings.CUSTODY_CHUNK_ROWS = 2
    _, engineer, _, _, number = scene
    sql(engineer, "UPDATE shop_order SET note = 'slip'", "UPDATE shop_orderitem SET quantity = 7")
    with acting(engineer):
        slipped = checksum(*SHOP)
        outcome = gate.rollback_to_snapshot(number, actor=engineer, reason=REASON)
    assert outcome is not None
    real, chunks = applying.apply, []

    def third_fails(*chunk: Any) -> Any:
        chunks.append(chunk)
        counts = real(*chunk)
        if len(chunks) == 3:
            raise DatabaseError("the disk is full")
        return counts

    monkeypatch.setattr(applying, "apply", third_fails)
    failed = work(outcome.change)
    assert (failed.state, failed.applied) == (State.FAILED, 0)
    assert "disk is full" in failed.error
    with acting(engineer):
        assert checksum(*SHOP) == slipped
    monkeypatch.setattr(applying, "apply", real)
    from changes import execution

    with acting(engineer):
        execution.start(failed.pk, actor=engineer)
    assert work(failed).applied == 9


def test_chosen_tables_and_rows_go_back_alone(scene: Any) -> None:
    _, engineer, made, _, number = scene
    sql(engineer, "UPDATE shop_order SET note = 'slip'", "UPDATE shop_orderitem SET quantity = 7")
    back = roll_back(engineer, number, entities=["shop.orderitem"])
    assert back.applied == 6
    back = roll_back(engineer, number, only={"rows": {"shop.order": keys_of(made[:1])}})
    assert back.applied == 1
    with acting(engineer):
        assert Order.objects.filter(note="slip").count() == 2


def test_newer_work_after_the_freeze_is_left_alone_and_listed(scene: Any) -> None:
    _, engineer, made, _, number = scene
    sql(engineer, "UPDATE shop_order SET note = 'slip'")
    with acting(engineer):
        outcome = gate.rollback_to_snapshot(number, actor=engineer, reason=REASON)
    assert outcome is not None
    sql(engineer, f"UPDATE shop_order SET note = 'newest' WHERE id = {made[0].pk}")
    back = work(outcome.change)
    assert (back.applied, reasons(engineer, back)) == (2, {made[0].pk: "changed_since"})


def test_a_row_that_took_a_unique_value_since_stands_in_the_way(scene: Any) -> None:
    _, engineer, made, _, number = scene
    taken = made[0].number
    sql(engineer, f"UPDATE shop_order SET number = 'MOVED' WHERE id = {made[0].pk}")
    with acting(engineer):
        fresh = order(number=taken, customer_=made[0].customer)
    back = roll_back(engineer, number)
    with acting(engineer):
        assert reasons(engineer, back) == {made[0].pk: "unique_taken"}
        assert SkippedRow.objects.count() == 1
        assert not Order.objects.filter(pk=fresh.pk).exists()
    assert roll_back(engineer, number).applied == 1, "now that the newcomer is archived the value is free"


def test_a_rollback_over_the_threshold_is_agreed_to_first(
    real_db: RealDatabase, engineer: Actor, approver: Actor
) -> None:
    with acting(engineer):
        orders(12, note="as it was")
        before = checksum(*LIVE)
    number = snapshot(engineer, Order)
    for half in ("< 7", ">= 7"):
        sql(engineer, f"UPDATE shop_order SET note = 'slip' WHERE (id - (SELECT min(id) FROM shop_order)) {half}")
    with acting(engineer):
        outcome = gate.rollback_to_snapshot(number, actor=engineer, reason=REASON)
    assert outcome is not None
    assert outcome.ticket is not None
    assert carry_out(outcome, engineer, approver).applied == 12
    with acting(engineer):
        assert checksum(*LIVE) == before


def test_two_workers_at_once_do_it_once(scene: Any) -> None:
    from threading import Barrier, Thread

    from changes import execution

    _, engineer, _, before, number = scene
    sql(engineer, "UPDATE shop_order SET note = 'slip'")
    with acting(engineer):
        outcome = gate.rollback_to_snapshot(number, actor=engineer, reason=REASON)
    assert outcome is not None
    gate_open = Barrier(2)

    def one(name: str) -> None:
        with acting(Actor.service("worker", tenant_id=1), channel="task"):
            gate_open.wait()
            execution.work(outcome.change.pk, worker=name)
        connection.close()

    both = [Thread(target=one, args=(name,)) for name in ("first", "second")]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    done = work(outcome.change)
    assert (done.state, done.applied) == (State.DONE, 3)
    with acting(engineer):
        assert checksum(*LIVE) == before


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"snapshot": 99_999}, SnapshotNotFound),
        ({"snapshot": "1"}, BadOption),
        ({"snapshot": True}, BadOption),
        ({}, BadOption),
        ({"at": "yesterday"}, BadOption),
        ({"at": "2026-01-01T00:00:00"}, BadOption),
        ({"snapshot": None, "at": "2026-01-01T00:00:00Z"}, BadOption),
    ],
)
@pytest.mark.django_db
def test_a_state_that_cannot_be_meant_is_refused(engineer: Actor, options: Any, error: type[Exception]) -> None:
    with acting(engineer), pytest.raises(error):
        gate.request(
            engineer, entity="shop.order", operation="rollback", selection=None, reason=REASON, options=options
        )


def test_a_table_the_snapshot_does_not_hold_is_refused(real_db: RealDatabase, engineer: Actor) -> None:
    number = snapshot(engineer, Order)
    with acting(engineer), pytest.raises(NotInSnapshot):
        gate.rollback_to_snapshot(number, actor=engineer, reason=REASON, options={"entities": ["shop.customer"]})
