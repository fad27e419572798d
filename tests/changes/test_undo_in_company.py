"""An undo beside rows that it does not touch: between chosen statements, above, below, and with the same unique value."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from approvals import gate, starting
from changes import execution
from changes.errors import EmptySelection, NewDependants
from changes.models import Change
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Customer, Order, OrderItem
from tests.changes.test_undo_events import by_owner, reasons, sql, undo_events
from tests.databases import RealDatabase
from tests.journey import REASON, SHOP, agree, ask, carry_out, checksum, keys_of, one_chunk, undo, work
from tests.personas import customer, item, order, order_with_items, orders


def force(actor: Actor, events: list[int], *voters: Actor) -> Change:
    return undo_events(actor, events, *voters, options={"conflicts": {"changed_since": "force"}})


def restored(actor: Actor, row: Any) -> Change:
    """The row was deleted by hand, and a change has brought it back."""
    sql(actor, f"UPDATE {row._meta.db_table} SET is_deleted = true, deleted_at = now() WHERE id = {row.pk}")
    return work(ask(actor, row._meta.label_lower, keys_of([row]), operation="restore").change)


# -- between ----------------------------------------------------------------------------------------


def test_what_somebody_wrote_between_two_undone_statements_is_a_conflict(
    real_db: RealDatabase, operator: Actor
) -> None:
    with acting(operator):
        first, second = orders(2, note="as it was", total="1.00")
    ids = f"({first.pk}, {second.pk})"
    events = sql(operator, f"UPDATE shop_order SET note = 'slip' WHERE id IN {ids}")
    sql(operator, f"UPDATE shop_order SET total = 99 WHERE id = {first.pk}")
    events += sql(operator, f"UPDATE shop_order SET note = 'slip again' WHERE id IN {ids}")
    back = undo_events(operator, events)
    assert (back.applied, reasons(operator, back)) == (1, {first.pk: "changed_since"})
    with acting(operator):
        assert str(Order.objects.get(pk=first.pk).total) == "99.00"
        assert Order.objects.get(pk=second.pk).note == "as it was"


def test_a_second_person_may_agree_to_take_that_back_too(
    real_db: RealDatabase, operator: Actor, approver: Actor
) -> None:
    with acting(operator):
        made = order(note="as it was", total="1.00")
        before = checksum(*SHOP)
    events = sql(operator, "UPDATE shop_order SET note = 'slip'")
    sql(operator, "UPDATE shop_order SET total = 99")
    events += sql(operator, "UPDATE shop_order SET note = 'slip again'")
    assert force(operator, events, approver).applied == 1
    with acting(operator):
        assert Order.objects.get().pk == made.pk
        assert checksum(*SHOP) == before


def test_a_removed_row_that_somebody_wrote_in_between_is_not_brought_back(
    real_db: RealDatabase, operator: Actor
) -> None:
    with acting(operator):
        order(note="as it was")
    events = sql(operator, "UPDATE shop_order SET note = 'slip'")
    sql(operator, "UPDATE shop_order SET total = 99")
    events += by_owner(real_db, operator, "DELETE FROM shop_order")
    with acting(operator), pytest.raises(EmptySelection):
        gate.request_undo_of_events(events, actor=operator, reason=REASON)
    assert undo_events(operator, events[1:]).applied == 1
    with acting(operator):
        assert str(Order.objects.get().total) == "99.00"


# -- unique values ----------------------------------------------------------------------------------


def test_a_field_that_does_not_come_back_claims_no_unique_value(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        first, second = customer(email="a@test.example"), customer(email="b@test.example", notes="as it was")
    events = sql(
        operator,
        f"UPDATE shop_customer SET email = 'slip@test.example' WHERE id = {first.pk}",
        f"UPDATE shop_customer SET notes = 'slip' WHERE id = {second.pk}",
    )
    sql(operator, f"UPDATE shop_customer SET email = 'moved@test.example' WHERE id = {second.pk}")
    with acting(operator):
        customer(email="b@test.example")
    back = undo_events(operator, events)
    assert (back.applied, back.skipped, reasons(operator, back)) == (2, 0, {})
    with acting(operator):
        found = Customer.objects.get(pk=second.pk)
        assert (found.email, found.notes) == ("moved@test.example", "as it was")


def test_an_archived_row_that_is_undone_too_is_no_rival_for_a_unique_value(
    real_db: RealDatabase, operator: Actor
) -> None:
    with acting(operator):
        live, archived = customer(email="a@test.example"), customer(email="b@test.example")
        before_rows = checksum("(SELECT id, email FROM shop_customer)")
    sql(operator, f"UPDATE shop_customer SET is_deleted = true, deleted_at = now() WHERE id = {archived.pk}")
    events = sql(
        operator,
        f"UPDATE shop_customer SET email = 'c@test.example' WHERE id = {live.pk}",
        f"UPDATE shop_customer SET email = 'a@test.example' WHERE id = {archived.pk}",
    )
    back = undo_events(operator, events)
    assert (back.applied, reasons(operator, back)) == (2, {})
    with acting(operator):
        assert checksum("(SELECT id, email FROM shop_customer)") == before_rows


def test_forced_back_into_the_recycle_bin_a_row_claims_no_unique_value(
    real_db: RealDatabase, operator: Actor, approver: Actor
) -> None:
    with acting(operator):
        made = order(number="MINE")
    done = restored(operator, made)
    sql(operator, f"UPDATE shop_order SET is_deleted = true, deleted_at = now() WHERE id = {made.pk}")
    with acting(operator):
        order(number="MINE")
        outcome = gate.request_undo(
            done.pk, actor=operator, reason=REASON, options={"conflicts": {"changed_since": "force"}}
        )
    assert carry_out(outcome, operator, approver).applied == 1


# -- above ------------------------------------------------------------------------------------------


def test_a_link_to_a_row_that_was_removed_for_good_is_a_conflict_before_anything_is_asked(
    real_db: RealDatabase, operator: Actor
) -> None:
    with acting(operator):
        old, new = customer(), customer()
        first, second = order(old), order(new, note="as it was")
    events = sql(
        operator,
        f"UPDATE shop_order SET customer_id = {new.pk} WHERE id = {first.pk}",
        f"UPDATE shop_order SET note = 'slip' WHERE id = {second.pk}",
    )
    by_owner(real_db, operator, f"DELETE FROM shop_customer WHERE id = {old.pk}")
    back = undo_events(operator, events)
    assert (back.applied, back.skipped, reasons(operator, back)) == (1, 0, {first.pk: "parent_deleted"})


def test_an_archived_row_does_not_come_back_without_the_row_it_belongs_to(
    real_db: RealDatabase, operator: Actor
) -> None:
    with acting(operator):
        line = item()
    sql(operator, "UPDATE shop_orderitem SET is_deleted = true, deleted_at = now()")
    events = by_owner(real_db, operator, "DELETE FROM shop_orderitem")
    by_owner(real_db, operator, f"DELETE FROM shop_order WHERE id = {line.order_id}")
    with acting(operator), pytest.raises(EmptySelection):
        gate.request_undo_of_events(events, actor=operator, reason=REASON)


def test_a_live_row_does_not_come_back_below_one_that_comes_back_archived(
    real_db: RealDatabase, operator: Actor
) -> None:
    with acting(operator):
        line = item()
    sql(operator, "UPDATE shop_order SET is_deleted = true, deleted_at = now()")
    events = by_owner(real_db, operator, "DELETE FROM shop_orderitem", "DELETE FROM shop_order")
    back = undo_events(operator, events)
    assert (back.applied, back.skipped, reasons(operator, back)) == (1, 0, {line.pk: "parent_deleted"})
    with acting(operator):
        assert Order.deleted.get().pk == line.order_id


def test_who_hangs_on_a_row_that_stays_deleted_stays_too_however_far_down(
    real_db: RealDatabase, operator: Actor
) -> None:
    with acting(operator):
        top = customer()
        middle = customer(referred_by=top)
        leaf = customer(referred_by=middle)
        free = customer()
    sql(operator, "UPDATE shop_customer SET is_deleted = true, deleted_at = now()")
    back = work(ask(operator, "shop.customer", keys_of([middle, leaf, free]), operation="restore").change)
    assert (back.applied, back.skipped) == (1, 0)
    assert reasons(operator, back) == {middle.pk: "parent_deleted", leaf.pk: "parent_deleted"}


# -- below ------------------------------------------------------------------------------------------


def test_the_undo_of_a_restore_leaves_no_live_row_under_an_archived_one(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        first, second = orders(2)
    sql(operator, "UPDATE shop_order SET is_deleted = true, deleted_at = now()")
    done = work(ask(operator, "shop.order", keys_of([first, second]), operation="restore").change)
    with acting(operator):
        item(first)
    back = undo(done, operator)
    assert (back.applied, reasons(operator, back)) == (1, {first.pk: "dependants"})
    with acting(operator):
        assert Order.objects.get().pk == first.pk


def test_what_was_restored_together_goes_together(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        made = order_with_items(2)
    work(ask(operator, "shop.order", keys_of([made])).change)
    with acting(operator):
        before = checksum(*SHOP)
    done = work(ask(operator, "shop.order", keys_of([made]), operation="restore").change)
    assert undo(done, operator).applied == 3
    with acting(operator):
        assert checksum(*SHOP) == before


def test_a_row_below_keeps_every_added_row_above_it(real_db: RealDatabase, operator: Actor) -> None:
    columns = "name, email, phone, plan, preferences, labels, notes, tenant_id, created_at, updated_at"
    values = "'C', '{}', '', 'trial', '{{}}', '{{}}', '', 1, now(), now()"
    events = sql(
        operator,
        f"INSERT INTO shop_customer ({columns}) VALUES ({values.format('a@test.example')})",
        f"INSERT INTO shop_customer ({columns}, referred_by_id) SELECT {values.format('b@test.example')}, id FROM shop_customer",
    )
    with acting(operator):
        order(Customer.objects.get(email="b@test.example"))
        with pytest.raises(EmptySelection):
            gate.request_undo_of_events(events, actor=operator, reason=REASON)


def test_a_row_added_below_meanwhile_stops_the_start_of_an_undo_that_archives(
    real_db: RealDatabase, operator: Actor, approver: Actor
) -> None:
    with acting(operator):
        made = orders(12)
    sql(operator, *[f"UPDATE shop_order SET is_deleted = true WHERE id = {row.pk}" for row in made[:6]])
    sql(operator, *[f"UPDATE shop_order SET is_deleted = true WHERE id = {row.pk}" for row in made[6:]])
    done = ask(operator, "shop.order", keys_of(made), operation="restore")
    back = carry_out(done, operator, approver)
    with acting(operator):
        outcome = gate.request_undo(back.pk, actor=operator, reason=REASON)
    agree(outcome.ticket, approver)
    with acting(operator):
        line = item(made[3])
        with pytest.raises(NewDependants) as refused:
            starting.start(outcome.change.pk, actor=operator)
        assert (refused.value.facts["entity"], refused.value.facts["rows"]) == ("shop.orderitem", 1)
        OrderItem.objects.filter(pk=line.pk).delete()
        starting.start(outcome.change.pk, actor=operator)
    assert work(outcome.change).applied == 12


def test_a_row_added_below_one_that_was_brought_back_does_not_stop_the_rest(
    real_db: RealDatabase, operator: Actor, chunks_of_two: None
) -> None:
    with acting(operator):
        made = orders(4)
    done = work(ask(operator, "shop.order", keys_of(made)).change)
    gone_again = undo(undo(done, operator), operator)
    with acting(operator):
        back = gate.request_undo(gone_again.pk, actor=operator, reason=REASON).change
    one_chunk(back)
    with acting(operator):
        execution.pause(back.pk, actor=operator)
        item(made[0])
        starting.start(back.pk, actor=operator)
    assert work(back).applied == 4


def test_rows_to_be_added_again_are_no_drift(real_db: RealDatabase, operator: Actor, approver: Actor) -> None:
    with acting(operator):
        orders(12)
        before = checksum(*SHOP)
    events = by_owner(real_db, operator, "DELETE FROM shop_order")
    with acting(operator):
        outcome = gate.request_undo_of_events(events, actor=operator, reason=REASON)
    agree(outcome.ticket, approver)
    with acting(operator):
        starting.start(outcome.change.pk, actor=operator)
    assert work(outcome.change).state == State.DONE
    with acting(operator), connection.cursor():
        assert checksum(*SHOP) == before
