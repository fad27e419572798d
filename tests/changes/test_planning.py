"""The plan takes along what has to go, clears links, names what stands in the way, and stays in its tenant."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from changes.errors import EmptySelection, ProtectedRows
from changes.models import Change, FrozenRow
from changes.planning import preview
from changes.selection import Selection
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import BehaviourLog, Customer, Order, OrderItem, UserTag
from tests.journey import SHOP, ask, checksum, keys_of, work
from tests.personas import customer, item, log, order, order_with_items, orders, tag

pytestmark = pytest.mark.django_db
ORDERS_TOO = ["shop.order.customer"]


def look(actor: Actor, model: Any, rows: Any, **more: Any) -> Any:
    selection = Selection.parse(keys_of(rows), model)
    return preview(actor, entity=model, operation="delete", selection=selection, **more)


def parts(plan: Any) -> dict[tuple[str, str], int]:
    return {(part.entity._meta.model_name, str(part.effect)): part.rows for part in plan.parts}


class TestCascade:
    def test_children_and_grandchildren_go_along(self, at_work: Actor) -> None:
        buyer = customer()
        for _ in range(2):
            order_with_items(3, customer_=buyer)
        tag(buyer)
        log(buyer)
        plan = look(at_work, Customer, [buyer], cascade_also=frozenset(ORDERS_TOO)).plan
        assert parts(plan) == {
            ("customer", "delete"): 1,
            ("order", "delete"): 2,
            ("orderitem", "delete"): 6,
            ("usertag", "delete"): 1,
            ("behaviourlog", "clear"): 1,
        }
        assert {p.entity._meta.model_name: p.depth for p in plan.parts}["orderitem"] == 2

    def test_each_row_is_frozen_once_with_its_token(self, at_work: Actor) -> None:
        made = order_with_items(2)
        change = ask(at_work, "shop.order", keys_of([made])).change
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*), count(*) FILTER (WHERE r.token = i.xmin) FROM changes_frozenrow r "
                "JOIN shop_orderitem i ON i.id = r.position WHERE r.change_id = %s AND r.part = 1",
                [change.pk],
            )
            assert cursor.fetchone() == (2, 2)

    def test_rows_already_deleted_do_not_go_along(self, at_work: Actor) -> None:
        made = order_with_items(2)
        made.items.first().delete()
        assert parts(look(at_work, Order, [made]).plan)["orderitem", "delete"] == 1

    def test_a_part_without_rows_is_no_part(self, at_work: Actor) -> None:
        assert parts(look(at_work, Order, [order()]).plan) == {("order", "delete"): 1}

    def test_rows_of_other_tenants_are_never_part(self, at_work: Actor, outsider: Actor) -> None:
        with acting(outsider):
            theirs = order_with_items(2)
        mine = order_with_items(1)
        plan = look(at_work, Order, [mine, theirs]).plan
        assert parts(plan) == {("order", "delete"): 1, ("orderitem", "delete"): 1}
        assert plan.keys.unknown_sample == (str(theirs.pk),)


class TestLinks:
    def test_only_links_to_rows_that_go_are_cleared(self, at_work: Actor) -> None:
        going, staying = customer(), customer()
        leaf = customer(referred_by=going)
        kept = customer(referred_by=staying)
        entry = log(going)
        work(ask(at_work, "shop.customer", keys_of([going])).change)
        for row in (leaf, kept, entry):
            row.refresh_from_db()
        assert (leaf.referred_by, kept.referred_by, entry.customer) == (None, staying, None)
        assert not leaf.is_deleted
        assert not entry.is_deleted

    def test_a_row_that_goes_is_not_cleared_as_well(self, at_work: Actor) -> None:
        first = customer()
        second = customer(referred_by=first)
        plan = look(at_work, Customer, [first, second]).plan
        assert parts(plan) == {("customer", "delete"): 2}

    def test_a_cycle_of_links_ends(self, at_work: Actor) -> None:
        first = customer()
        second = customer(referred_by=first)
        Customer.objects.filter(pk=first.pk).update(referred_by=second)
        assert parts(look(at_work, Customer, [first]).plan) == {("customer", "delete"): 1, ("customer", "clear"): 1}
        assert parts(look(at_work, Customer, [first, second]).plan) == {("customer", "delete"): 2}

    def test_a_row_that_points_to_itself_goes_once(self, at_work: Actor) -> None:
        own = customer()
        Customer.objects.filter(pk=own.pk).update(referred_by=own)
        change = work(ask(at_work, "shop.customer", keys_of([own])).change)
        own.refresh_from_db()
        assert (change.state, change.applied, own.is_deleted, own.referred_by_id) == ("done", 1, True, own.pk)


class TestProtection:
    def test_protecting_rows_stop_it_and_are_named(self, at_work: Actor) -> None:
        made = order()
        seen = look(at_work, Customer, [made.customer])
        assert seen.blocked
        finding = next(f for f in seen.findings if f.check == "protected_rows")
        assert finding.facts["relations"] == [
            {"entity": "shop.order", "relation": "shop.order.customer", "rows": 1, "sample": [str(made.pk)]}
        ]

    def test_asking_raises_with_the_way_out(self, at_work: Actor) -> None:
        with pytest.raises(ProtectedRows, match=r'cascade_also=\["shop.order.customer"\]'):
            ask(at_work, "shop.customer", keys_of([order().customer]))
        assert not Change.objects.exists()

    def test_named_in_cascade_also_they_go_along(self, at_work: Actor) -> None:
        made = order_with_items(1)
        seen = look(at_work, Customer, [made.customer], cascade_also=frozenset(ORDERS_TOO))
        assert not seen.blocked
        assert parts(seen.plan)["orderitem", "delete"] == 1

    def test_deleted_rows_protect_nothing(self, at_work: Actor) -> None:
        made = order()
        made.delete()
        assert not look(at_work, Customer, [made.customer]).blocked

    def test_the_sample_is_short(self, at_work: Actor) -> None:
        buyer = customer()
        orders(8, customer=buyer)
        stop = look(at_work, Customer, [buyer]).plan.protected[0]
        assert (stop.rows, len(stop.sample)) == (8, 5)

    def test_a_relation_nobody_has_changes_nothing(self, at_work: Actor) -> None:
        seen = look(at_work, Customer, [order().customer], cascade_also=frozenset({"shop.nothing.here"}))
        assert seen.blocked


class TestKeys:
    def test_unknown_repeated_and_foreign_keys_are_counted(self, at_work: Actor, outsider: Actor) -> None:
        with acting(outsider):
            theirs = order()
        mine = orders(3)
        keys = [mine[0].pk, mine[0].pk, mine[1].pk, theirs.pk, 10**12]
        selection = Selection.parse({"keys": keys}, Order)
        found = preview(at_work, entity=Order, operation="delete", selection=selection).plan.keys
        assert (found.given, found.distinct, found.found, found.unknown, found.repeated) == (5, 4, 2, 2, 1)
        assert found.unknown_sample == (str(theirs.pk), str(10**12))

    def test_a_hundred_thousand_keys_are_planned(self, at_work: Actor) -> None:
        made = orders(50)
        keys = [o.pk for o in made] + list(range(10**10, 10**10 + 99_950))
        selection = Selection.parse({"keys": keys}, Order)
        plan = preview(at_work, entity=Order, operation="delete", selection=selection).plan
        assert (plan.rows_selected, plan.keys.unknown) == (50, 99_950)

    def test_keys_of_nobody_are_an_empty_selection(self, at_work: Actor) -> None:
        with pytest.raises(EmptySelection):
            ask(at_work, "shop.order", {"keys": [10**12]})

    def test_conditions_that_match_nothing_are_an_empty_selection(self, at_work: Actor) -> None:
        with pytest.raises(EmptySelection):
            ask(at_work, "shop.order", {"where": [{"field": "number", "value": "none such"}]})


class TestPreview:
    def test_a_preview_keeps_nothing(self, at_work: Actor) -> None:
        made = order_with_items(2)
        before = checksum(*SHOP)
        look(at_work, Order, [made])
        assert (Change.objects.count(), FrozenRow.objects.count()) == (0, 0)
        assert checksum(*SHOP) == before

    def test_a_selection_of_the_whole_table_is_warned_about(self, at_work: Actor) -> None:
        orders(3)
        selection = Selection.parse({"where": [{"field": "total", "op": "lt", "value": 10**6}]}, Order)
        seen = preview(at_work, entity=Order, operation="delete", selection=selection)
        finding = next(f for f in seen.findings if f.check == "whole_table")
        assert (finding.level, finding.facts) == ("warn", {"rows": 3})

    def test_thresholds_are_named_per_table(self, at_work: Actor) -> None:
        seen = look(at_work, Order, orders(11))
        finding = next(f for f in seen.findings if f.check == "threshold")
        assert finding.facts["over"] == [{"entity": "shop.order", "rows": 11, "threshold": 10}]


def test_the_run_writes_exactly_what_was_planned(at_work: Actor) -> None:
    buyer = customer()
    order_with_items(2, customer_=buyer)
    tag(buyer)
    change = ask(at_work, "shop.customer", keys_of([buyer]), cascade_also=ORDERS_TOO).change
    planned = {(p.entity, p.effect): p.rows for p in change.parts.all()}
    done = work(change)
    assert (done.state, done.applied, done.skipped) == (State.DONE, sum(planned.values()), 0)
    live = [model.objects.filter(pk__gt=0).count() for model in (Customer, Order, OrderItem, UserTag)]
    assert live == [0, 0, 0, 0]
    assert BehaviourLog.objects.count() == 0


def test_the_columns_of_a_delete_are_set_together(at_work: Actor) -> None:
    made = order()
    work(ask(at_work, "shop.order", keys_of([made])).change)
    made.refresh_from_db()
    assert (made.is_deleted, made.status, made.retention_policy) == (True, "archived", "tax_10y")
    assert made.deleted_at is not None


def test_items_of_one_order_by_two_paths_go_once(at_work: Actor) -> None:
    """Selected themselves and as children of a selected order's customer."""
    made = order_with_items(2)
    extra = item(made)
    change = ask(at_work, "shop.customer", keys_of([made.customer]), cascade_also=ORDERS_TOO).change
    assert change.parts.get(entity="shop.orderitem").rows == 3
    assert work(change).applied == 5
    extra.refresh_from_db()
    assert extra.is_deleted
