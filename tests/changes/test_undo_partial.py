"""Part of a change is undone by chosen rows or chosen fields; the rest stays as the change left it, and can follow."""

from __future__ import annotations

from typing import Any

import pytest

from approvals import gate
from changes.errors import BadOption, EmptySelection, UnknownField
from changes.models import Change
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Customer, Order, OrderItem
from tests.changes.test_undo_events import by_owner, sql
from tests.databases import RealDatabase
from tests.journey import REASON, SHOP, ask, carry_out, checksum, keys_of, undo, work
from tests.personas import customer, log, order_with_items, orders, tag


def undo_part(change: Change, actor: Actor, **only: Any) -> Change:
    with acting(actor):
        outcome = gate.request_undo(change.pk, actor=actor, reason=REASON, options={"only": only})
    return carry_out(outcome, actor)


def test_chosen_rows_come_back_with_what_went_along_with_them(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        made = [order_with_items(2) for _ in range(3)]
        before = checksum(*SHOP)
    done = work(ask(operator, "shop.order", keys_of(made)).change)
    back = undo_part(done, operator, rows={"shop.order": {"keys": [made[0].pk]}})
    assert back.applied == 3
    with acting(operator):
        assert set(Order.objects.values_list("pk", flat=True)) == {made[0].pk}
        assert OrderItem.objects.count() == 2
    assert undo(done, operator).applied == 6
    with acting(operator):
        assert checksum(*SHOP) == before


def test_rows_can_be_chosen_by_condition(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        made = orders(2, state="paid") + orders(3, state="open")
    done = work(ask(operator, "shop.order", keys_of(made)).change)
    chosen = {"shop.order": {"where": [{"field": "state", "op": "eq", "value": "open"}]}}
    assert undo_part(done, operator, rows=chosen).applied == 3


def test_links_that_were_cleared_come_back_under_the_chosen_parent(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        first, second = customer(), customer()
        logs = [log(first), log(second)]
        tag(first), tag(second)
        before = checksum("(SELECT * FROM shop_behaviourlog)")
    done = work(ask(operator, "shop.customer", keys_of([first, second])).change)
    back = undo_part(done, operator, rows={"shop.customer": {"keys": [first.pk]}})
    assert back.applied == 3
    with acting(operator):
        assert Customer.objects.get().pk == first.pk
        logs[0].refresh_from_db()
        logs[1].refresh_from_db()
        assert (logs[0].customer_id, logs[1].customer_id) == (first.pk, None)
    undo(done, operator)
    with acting(operator):
        assert checksum("(SELECT * FROM shop_behaviourlog)") == before


def test_chosen_fields_come_back_and_the_others_stay(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        made = orders(2, note="as it was", total="1.00")
    events = sql(operator, "UPDATE shop_order SET note = 'slip', total = 0")
    with acting(operator):
        outcome = gate.request_undo_of_events(
            events, actor=operator, reason=REASON, options={"only": {"fields": {"shop.order": ["total"]}}}
        )
    carry_out(outcome, operator)
    with acting(operator):
        assert {(row.note, str(row.total)) for row in Order.objects.filter(pk__in=[r.pk for r in made])} == {
            ("slip", "1.00")
        }


def test_one_column_of_a_soft_delete_stands_for_all(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        made = order_with_items(1)
        before = checksum("shop_order")
    done = work(ask(operator, "shop.order", keys_of([made])).change)
    back = undo_part(done, operator, fields={"shop.order": ["is_deleted"]})
    assert back.applied == 1
    with acting(operator):
        assert checksum("shop_order") == before
        assert not OrderItem.objects.exists()


@pytest.mark.parametrize(
    ("only", "error", "field"),
    [
        ({"columns": {}}, BadOption, "only"),
        ({"rows": []}, BadOption, "only.rows"),
        ({"rows": {"shop.nothing": {"keys": [1]}}}, BadOption, "only.rows"),
        ({"fields": {"shop.order": ["nothing"]}}, UnknownField, "only.fields.shop.order"),
        ({"fields": {"shop.order": "note"}}, UnknownField, "only.fields.shop.order"),
    ],
)
@pytest.mark.django_db
def test_what_cannot_be_read_is_refused_by_name(at_work: Actor, only: Any, error: type[Exception], field: str) -> None:
    done = work(ask(at_work, "shop.order", keys_of(orders(1))).change)
    with pytest.raises(error) as refused:
        gate.request_undo(done.pk, actor=at_work, reason=REASON, options={"only": only})
    assert refused.value.facts["field"] == field  # type: ignore[attr-defined]


@pytest.mark.django_db
def test_choosing_nothing_that_was_touched_is_said(at_work: Actor) -> None:
    done = work(ask(at_work, "shop.order", keys_of(orders(1))).change)
    other = orders(1)
    with pytest.raises(EmptySelection):
        gate.request_undo(
            done.pk, actor=at_work, reason=REASON, options={"only": {"rows": {"shop.order": keys_of(other)}}}
        )


def test_removed_rows_are_chosen_by_key(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        made = orders(3)
    events = by_owner(real_db, operator, "DELETE FROM shop_order")
    with acting(operator):
        outcome = gate.request_undo_of_events(
            events, actor=operator, reason=REASON, options={"only": {"rows": {"shop.order": keys_of(made[1:2])}}}
        )
    carry_out(outcome, operator)
    with acting(operator):
        assert list(Order.objects.values_list("pk", flat=True)) == [made[1].pk]
