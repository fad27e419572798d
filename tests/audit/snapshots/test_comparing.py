"""Two states compared: only in one, only in the other, changed by field; bit for bit, by key, by tenant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from audit.snapshots import state
from audit.snapshots.comparing import Comparison
from audit.snapshots.errors import UnknownDifference
from audit.snapshots.state import NOW, State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Customer, Order
from tests.personas import customer, order, orders


def compare(a: Any, b: Any, model: Any = Order, **options: Any) -> Comparison:
    a, b = (one if isinstance(one, State) else state.of_snapshot(one) for one in (a, b))
    return Comparison(model=model, a=a, b=b, **{"tenant_id": 1} | options)


def found(comparison: Comparison, **options: Any) -> list[tuple[Any, str, tuple[str, ...]]]:
    return [(d.key[0], d.kind, d.fields) for d in comparison.page(**{"limit": 100} | options)]


@pytest.fixture
def scene(snap: Callable[..., Any]) -> tuple[Any, list[Any], Any]:
    """A snapshot, seven rows, another snapshot: one kind of fate each."""
    made = orders(7, note="as it was")
    same, changed, back, deleted, bin_both, _, restored = (row.pk for row in made)
    rows = Order.objects_and_deleted
    rows.filter(pk__in=[bin_both, restored]).update(is_deleted=True)
    before = snap()
    rows.filter(pk=changed).update(note="other", total="9.90")
    rows.filter(pk=back).update(note="other")
    rows.filter(pk=back).update(note="as it was")
    rows.filter(pk=deleted).update(is_deleted=True)
    rows.filter(pk=bin_both).update(note="other")
    rows.filter(pk=restored).update(is_deleted=False)
    return before, made, same


def test_each_row_is_in_its_class(scene: Any, snap: Callable[..., Any]) -> None:
    before, made, _ = scene
    new = order(note="new")
    after = snap()
    expected = [
        (made[1].pk, "changed", ("total", "note")),
        (made[3].pk, "only_a", ()),
        (made[6].pk, "only_b", ()),
        (new.pk, "only_b", ()),
    ]
    comparison = compare(before, after)
    assert [(key, kind, tuple(sorted(names))) for key, kind, names in found(comparison)] == [
        (key, kind, tuple(sorted(names))) for key, kind, names in expected
    ]
    totals = comparison.totals()
    assert (totals.only_a, totals.only_b, totals.changed, totals.rows) == (1, 2, 1, 4)
    assert totals.fields == {"note": 1, "total": 1}
    assert found(compare(before, NOW)) == found(comparison)


def test_the_other_way_round_the_classes_change_places(scene: Any) -> None:
    before, _, _ = scene
    there, back = compare(before, NOW), compare(NOW, before)
    swapped = {"only_a": "only_b", "only_b": "only_a", "changed": "changed"}
    assert [(k, swapped[kind], f) for k, kind, f in found(there)] == found(back)
    ids = {d.key: (d.a_id, d.b_id) for d in there.page(limit=100)}
    assert {d.key: (d.b_id, d.a_id) for d in back.page(limit=100)} == ids
    assert back.totals().only_a == there.totals().only_b


def test_a_state_does_not_differ_from_itself(scene: Any) -> None:
    before, _, _ = scene
    assert compare(before, before).totals().rows == 0
    assert compare(NOW, NOW).totals().rows == 0


def test_pages_follow_each_other_by_key(snap: Callable[..., Any]) -> None:
    made = orders(7)
    before = snap()
    Order.objects.all().update(note="x")
    comparison = compare(before, NOW)
    keys, after = [], None
    while page := comparison.page(limit=2, after=after):
        keys += [difference.key[0] for difference in page]
        after = page[-1].key
    assert keys == [row.pk for row in made]


def test_pages_of_one_class_or_one_field(scene: Any) -> None:
    before, made, _ = scene
    comparison = compare(before, NOW)
    assert [key for key, _, _ in found(comparison, kind="only_a")] == [made[3].pk]
    assert [key for key, _, _ in found(comparison, field="total")] == [made[1].pk]
    assert found(comparison, field="currency") == []
    for wrong in ({"kind": "same"}, {"field": "colour"}):
        with pytest.raises(UnknownDifference):
            comparison.page(limit=1, **wrong)


def test_among_narrows_to_some_keys(scene: Any) -> None:
    before, made, _ = scene
    chosen = Order.objects_and_deleted.filter(pk__in=[made[1].pk, made[2].pk]).values("pk").order_by()
    comparison = compare(before, NOW, among=chosen.query.sql_with_params())
    assert [key for key, _, _ in found(comparison)] == [made[1].pk]
    assert comparison.totals().rows == 1


def test_a_removed_row_is_only_in_the_earlier(snap: Callable[..., Any], real_db: Any) -> None:
    row = order()
    before = snap()
    with real_db.owner() as owner:
        owner.execute("SET custody.all_tenants = 'on'")
        owner.execute("DELETE FROM shop_order WHERE id = %s", [row.pk])
    assert found(compare(before, NOW)) == [(row.pk, "only_a", ())]


def test_other_tenants_are_not_in_it(snap: Callable[..., Any], persona: Callable[..., Actor]) -> None:
    before = snap()
    mine = order()
    with acting(persona("engineer", name="Else Where", tenant=2)):
        theirs = order()
        foreign = Comparison(model=Order, a=state.of_snapshot(before), b=NOW, tenant_id=2)
        assert found(foreign) == [(theirs.pk, "only_b", ())]
        # Row level security holds even where the caller names another tenant.
        assert found(Comparison(model=Order, a=state.of_snapshot(before), b=NOW, tenant_id=1)) == []
    assert found(compare(before, NOW)) == [(mine.pk, "only_b", ())]


IMAGES = [
    ("score", "'0'", "'-0'"),
    ("score", "'NaN'", "NULL"),
    ("credit_limit", "NULL", "0"),
    ("preferences", "'null'::jsonb", "'{}'::jsonb"),
    ("preferences", "'{\"a\": 1}'", "'{\"a\": 1.0}'"),
    ("labels", "'{a}'", "'[0:0]={a}'"),
    ("notes", "''", "' '"),
    ("born_on", "'infinity'", "'-infinity'"),
    ("updated_at", "'2024-01-01 00:00:00+00'", "'2024-01-01 00:00:00.000001+00'"),
]


@pytest.mark.parametrize(("column", "was", "now"), IMAGES)
def test_values_are_compared_bit_for_bit(snap: Callable[..., Any], column: str, was: str, now: str) -> None:
    row = customer()
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE shop_customer SET {column} = {was} WHERE id = %s", [row.pk])
        before = snap(Customer)
        cursor.execute(f"UPDATE shop_customer SET {column} = {was} WHERE id = %s", [row.pk])
        assert found(compare(before, NOW, Customer)) == []
        cursor.execute(f"UPDATE shop_customer SET {column} = {now} WHERE id = %s", [row.pk])
    assert found(compare(before, NOW, Customer)) == [(row.pk, "changed", (column,))]
