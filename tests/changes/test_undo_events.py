"""Statements that no change made are undone too: updates folded, removed rows back under their key, added ones archived."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from approvals import gate
from audit.models import Event
from changes.errors import BadOption, EventNotFound
from changes.event_freezing import parse_source
from changes.models import Change, SkippedRow
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Customer, Order, OrderItem
from tests.databases import RealDatabase
from tests.journey import REASON, SHOP, carry_out, checksum, undo
from tests.personas import customer, item, order, order_with_items, orders


def sql(actor: Actor, *statements: str) -> list[int]:
    """Run statements in one transaction of the application's login; return the ids of their events."""
    from django.db import transaction

    with acting(actor):
        last = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        return list(Event.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True))


def by_owner(database: RealDatabase, actor: Actor, *statements: str) -> list[int]:
    """The same as the owner, who may remove rows."""
    with acting(actor):
        last = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    with database.owner() as owner, owner.transaction():
        owner.execute("SET LOCAL custody.all_tenants = 'on'")
        owner.execute("SET LOCAL custody.mass_write = 'a repair'")
        for statement in statements:
            owner.execute(statement)
    with acting(actor):
        return list(Event.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True))


def undo_events(actor: Actor, events: list[int], *voters: Actor, **more: Any) -> Change:
    with acting(actor):
        outcome = gate.request_undo_of_events(events, actor=actor, reason=REASON, **more)
    return carry_out(outcome, actor, *voters)


def reasons(actor: Actor, change: Change) -> dict[int, str]:
    with acting(actor):
        return dict(SkippedRow.objects.filter(change=change).values_list("position", "reason"))


def test_a_rows_removed_for_good_come_back_bit_by_bit_under_their_keys(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        buyer = customer(score=float("-0.0"), labels=["a"], preferences={"n": 1.10})
        leaf = customer(referred_by=buyer)
        customer(referred_by=leaf)
        made = [order_with_items(2, customer_=buyer) for _ in range(2)]
        before = checksum(*SHOP)
        highest = max(Order.objects.values_list("pk", flat=True))
    events = by_owner(
        real_db,
        operator,
        "DELETE FROM shop_orderitem",
        "DELETE FROM shop_order",
        "DELETE FROM shop_customer",
    )
    with acting(operator):
        assert not Customer.objects_and_deleted.exists()
    back = undo_events(operator, events)
    assert (back.state, back.skipped) == (State.DONE, 0)
    assert back.verification is not None
    assert back.verification["equal"]
    with acting(operator):
        assert checksum(*SHOP) == before
        assert order(customer_=made[0].customer).pk > highest, "a key that was in use is never given again"


def test_the_undo_of_removed_rows_can_itself_be_undone(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        made = order_with_items(2)
    events = by_owner(real_db, operator, "DELETE FROM shop_orderitem", "DELETE FROM shop_order")
    back = undo_events(operator, events)
    again = undo(back, operator)
    assert again.applied == 3
    with acting(operator):
        assert not Order.objects.exists()
        assert Order.deleted.filter(pk=made.pk).exists()
        assert OrderItem.deleted.count() == 2


def test_several_writes_to_a_row_fold_to_the_value_before_the_first(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        made = orders(3, note="as it was")
        before = checksum(*SHOP)
    first = sql(operator, "UPDATE shop_order SET note = 'one'", "UPDATE shop_order SET note = 'two', total = 5")
    back = undo_events(operator, first)
    assert (back.applied, back.skipped) == (3, 0)
    with acting(operator):
        assert checksum(*SHOP) == before
        assert Order.objects.get(pk=made[0].pk).note == "as it was"


def test_a_later_write_to_the_same_field_is_a_conflict_and_to_another_is_none(
    real_db: RealDatabase, operator: Actor
) -> None:
    with acting(operator):
        made = orders(3, note="as it was", total="1.00")
    ids = [row.pk for row in made]
    events = sql(operator, "UPDATE shop_order SET note = 'gone'")
    sql(operator, f"UPDATE shop_order SET note = 'by hand' WHERE id = {ids[0]}")
    sql(operator, f"UPDATE shop_order SET total = 99 WHERE id = {ids[1]}")
    back = undo_events(operator, events)
    assert (back.applied, reasons(operator, back)) == (2, {ids[0]: "changed_since"})
    with acting(operator):
        kept = {row.pk: (row.note, str(row.total)) for row in Order.objects.all()}
    assert kept == {ids[0]: ("by hand", "1.00"), ids[1]: ("as it was", "99.00"), ids[2]: ("as it was", "1.00")}


def test_a_field_that_the_statement_did_not_change_in_a_row_is_no_conflict_there(
    real_db: RealDatabase, operator: Actor
) -> None:
    with acting(operator):
        first, second = orders(2, note="", total="1.00")
    events = sql(
        operator,
        f"UPDATE shop_order SET note = 'x' WHERE id = {first.pk}",
        f"UPDATE shop_order SET total = 7 WHERE id = {second.pk}",
    )
    sql(operator, f"UPDATE shop_order SET total = 50 WHERE id = {first.pk}")
    back = undo_events(operator, events)
    assert (back.applied, back.skipped) == (2, 0)
    with acting(operator):
        assert {str(row.total) for row in Order.objects.all()} == {"50.00", "1.00"}


def test_what_was_inserted_is_archived_unless_somebody_worked_on_it(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        buyer = customer()
        last = Event.objects.order_by("-pk").values_list("pk", flat=True)[0]
        made = orders(4, customer=buyer)
        events = list(Event.objects.filter(pk__gt=last).values_list("pk", flat=True))
        Order.objects.filter(pk=made[0].pk).update(note="in work")
        item(made[1])
    back = undo_events(operator, events)
    assert back.applied == 2
    assert reasons(operator, back) == {made[0].pk: "changed_since", made[1].pk: "dependants"}
    with acting(operator):
        assert set(Order.deleted.values_list("pk", flat=True)) == {made[2].pk, made[3].pk}


def test_a_key_in_use_again_is_a_conflict(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        first, second = orders(2)
    events = by_owner(real_db, operator, "DELETE FROM shop_order")
    sql(
        operator,
        "INSERT INTO shop_order (id, tenant_id, customer_id, number, placed_at, state, total, currency, note, created_at, "
        f"updated_at) VALUES ({first.pk}, 1, {first.customer_id}, 'NEW', now(), 'open', 0, 'EUR', '', now(), now())",
    )
    back = undo_events(operator, events)
    assert (back.applied, reasons(operator, back)) == (1, {first.pk: "key_reused"})
    with acting(operator):
        assert Order.objects.get(pk=first.pk).number == "NEW"
        assert Order.objects.get(pk=second.pk).number == second.number


def test_a_unique_value_taken_meanwhile_is_a_conflict_for_a_removed_row(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        first, second = orders(2)
    events = by_owner(real_db, operator, "DELETE FROM shop_order")
    with acting(operator):
        order(number=first.number)
    back = undo_events(operator, events)
    assert (back.applied, reasons(operator, back)) == (1, {first.pk: "unique_taken"})
    with acting(operator):
        assert Order.objects.filter(pk=second.pk).exists()


def test_a_unique_value_that_an_update_gave_away_is_a_conflict(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        made = order(number="MINE")
    events = sql(operator, f"UPDATE shop_order SET number = 'OTHER' WHERE id = {made.pk}")
    with acting(operator):
        order(number="MINE")
        from changes.errors import EmptySelection

        with pytest.raises(EmptySelection):
            gate.request_undo_of_events(events, actor=operator, reason=REASON)


def test_a_removed_row_without_its_parent_is_a_conflict(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        made = order_with_items(2)
        other = order_with_items(1)
    lines = by_owner(real_db, operator, "DELETE FROM shop_orderitem")
    by_owner(real_db, operator, f"DELETE FROM shop_order WHERE id = {made.pk}")
    back = undo_events(operator, lines)
    assert (back.applied, set(reasons(operator, back).values())) == (1, {"parent_deleted"})
    with acting(operator):
        assert OrderItem.objects.get().order_id == other.pk


def test_one_event_stands_for_its_whole_transaction_when_asked(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        order_with_items(2, note="as it was")
        before = checksum(*SHOP)
    events = sql(operator, "UPDATE shop_order SET note = 'x'", "UPDATE shop_orderitem SET quantity = 9")
    back = undo_events(operator, events[:1], transaction=True)
    assert back.applied == 3
    with acting(operator):
        assert checksum(*SHOP) == before


def test_events_of_another_tenant_are_unknown(real_db: RealDatabase, operator: Actor, outsider: Actor) -> None:
    with acting(operator):
        orders(1)
    events = sql(operator, "UPDATE shop_order SET note = 'x'")
    with acting(outsider), pytest.raises(EventNotFound):
        gate.request_undo_of_events(events, actor=outsider, reason=REASON)


def test_an_act_is_no_statement_and_cannot_be_undone(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        change = gate.request(
            operator, entity="shop.order", operation="delete", selection={"keys": [orders(1)[0].pk]}, reason=REASON
        ).change
        act = Event.objects.filter(change_id=change.pk, operation="*").values_list("pk", flat=True)[0]
        with pytest.raises(EventNotFound):
            gate.request_undo_of_events([act], actor=operator, reason=REASON)


@pytest.mark.parametrize("source", [None, [], {"events": []}, {"events": ["1"]}, {"events": [True]}, {"events": [-1]}])
def test_a_source_that_names_no_event_is_refused_by_name(source: Any) -> None:
    with pytest.raises((BadOption, EventNotFound)) as refused:
        parse_source(source)
    assert str(refused.value.facts["field"]).startswith("source")
