"""The preview counts every conflict by table and class, names the first of each, and says what can be chosen."""

from __future__ import annotations

from typing import Any

import pytest

from changes.errors import BadValue, EventNotFound, UnknownField
from changes.models import Change
from changes.undoing import Tally, Written, first_of, preview_undo, preview_undo_of_events, written_by
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.changes.test_undo_events import by_owner, sql, undo_events
from tests.databases import RealDatabase
from tests.journey import ask, keys_of, work
from tests.personas import order, order_with_items, orders


@pytest.fixture
def done(real_db: RealDatabase, operator: Actor) -> Change:
    """Six orders deleted; one was changed since, of three somebody took the number."""
    with acting(operator):
        rows = orders(6)
    change = work(ask(operator, "shop.order", keys_of(rows)).change)
    sql(operator, f"UPDATE shop_order SET status = 'kept by hand' WHERE id = {rows[0].pk}")
    with acting(operator):
        for taken in rows[1:4]:
            order(number=taken.number)
    return change


def test_conflicts_are_counted_by_table_and_class(done: Change, operator: Actor) -> None:
    with acting(operator):
        seen = preview_undo(done.pk, actor=operator, size=2)
    assert seen.tallies == (Tally("shop.order", "changed_since", 1), Tally("shop.order", "unique_taken", 3))
    assert (seen.rows, seen.conflicts) == (2, 4)


def test_each_class_names_its_first_rows_however_many_the_others_have(done: Change, operator: Actor) -> None:
    with acting(operator):
        seen = preview_undo(done.pk, actor=operator, size=2)
    assert [one.reason for one in seen.sample] == ["changed_since", "unique_taken", "unique_taken"]


def test_what_can_be_chosen_does_not_shrink_with_the_choice(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        order_with_items(2)
    events = sql(operator, "UPDATE shop_order SET note = 'slip', total = 0", "UPDATE shop_orderitem SET quantity = 9")
    whole: Any = {"source": {"events": events}}
    part = whole | {"only": {"fields": {"shop.order": ["note"]}}}
    with acting(operator):
        seen = [preview_undo_of_events("shop.order", actor=operator, options=asked) for asked in (whole, part)]
    assert seen[0].scope == seen[1].scope == (("shop.order", ("total", "note")), ("shop.orderitem", ("quantity",)))
    assert [one.rows for one in seen] == [3, 1]


def test_whole_rows_that_came_or_went_have_no_fields_to_choose(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        order()
    events = by_owner(real_db, operator, "DELETE FROM shop_order")
    with acting(operator):
        seen = preview_undo_of_events("shop.order", actor=operator, options={"source": {"events": events}})
    assert (seen.scope, [part.effect for part in seen.parts]) == ((("shop.order", ()),), ["add"])


def test_rows_that_were_removed_are_chosen_by_key_or_by_what_they_held(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        first, _other, third = orders(3)
        Order.objects.filter(pk=third.pk).update(note="wanted")
    events = by_owner(real_db, operator, "DELETE FROM shop_order")
    by_key: Any = {"rows": {"shop.order": {"keys": [first.pk]}}}
    assert undo_events(operator, events, options={"only": by_key}).applied == 1
    held = {"rows": {"shop.order": {"where": [{"field": "note", "op": "eq", "value": "wanted"}]}}}
    assert undo_events(operator, events, options={"only": held}).applied == 1
    with acting(operator):
        assert set(Order.objects.values_list("pk", flat=True)) == {first.pk, third.pk}


def test_a_choice_of_rows_that_cannot_be_read_is_refused_by_its_place(done: Change, operator: Actor) -> None:
    wrong: list[tuple[Any, type[Exception], str]] = [
        ({"keys": ["x"]}, BadValue, "only.rows.shop.order.keys.0"),
        ({"where": [{"field": "nothing", "value": 1}]}, UnknownField, "only.rows.shop.order.where.0.field"),
    ]
    for rows, error, field in wrong:
        with acting(operator), pytest.raises(error) as refused:
            preview_undo(done.pk, actor=operator, options={"only": {"rows": {"shop.order": rows}}})
        assert refused.value.facts["field"] == field  # type: ignore[attr-defined]


def test_what_statements_did_is_told_by_table(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        order_with_items(2)
    events = sql(
        operator,
        "UPDATE shop_order SET note = 'a'",
        "UPDATE shop_order SET note = 'b'",
        "UPDATE shop_orderitem SET quantity = 9",
    )
    with acting(operator):
        assert written_by(events[:1], transaction=False) == (Written("shop.order", "~", 1, 1),)
        assert written_by(events[:1], transaction=True) == (
            Written("shop.order", "~", 2, 2),
            Written("shop.orderitem", "~", 1, 2),
        )


def test_a_statement_of_another_tenant_does_not_exist(real_db: RealDatabase, operator: Actor, persona: Any) -> None:
    with acting(operator):
        order()
    events = sql(operator, "UPDATE shop_order SET note = 'ours'")
    other = persona("operator", name="Otto Other", tenant=2)
    with acting(other), pytest.raises(EventNotFound):
        first_of(events)
