"""An undo brings back bit by bit what one change did, and never overwrites what somebody did since."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from approvals import gate
from changes.errors import EmptySelection, NothingToUndo, UndoExists, WrongState
from changes.models import Change, SkippedRow
from changes.states import Operation, State
from changes.undoing import preview_undo
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Customer, Order, OrderItem
from tests.journey import REASON, SHOP, ask, carry_out, checksum, keys_of, one_chunk, undo, work
from tests.personas import customer, log, order, order_with_items, orders, tag

ORDERS_TOO = ["shop.order.customer"]


def awkward_shop() -> list[Any]:
    """Rows with everything PostgreSQL could round, and with links of every kind."""
    buyer = customer(
        name="Zoë 🦊 “quoted” \\ 'x'",
        born_on="0001-01-01",
        credit_limit="99999999999999999999.9999999999",
        preferences={"a": [1, 2.50, None], "ключ": "знач"},
        labels=["", "a,b", '"q"', "NULL"],
        score=float("-0.0"),
        notes="x" * 5000,
    )
    other = customer(referred_by=buyer, score=float("nan"), credit_limit=None)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE shop_customer SET updated_at = '1969-07-20 20:17:40.123456+00' WHERE id = %s", [buyer.pk]
        )
    for _ in range(2):
        order_with_items(2, customer_=buyer, total="0.01", placed_at="1901-02-03T04:05:06.000007Z")
    tag(buyer, weight=1e-300)
    log(buyer, payload={"n": 1.10})
    return [buyer, other]


@pytest.mark.parametrize("chunk", [2, 10_000])
@pytest.mark.django_db
def test_everything_is_back_bit_by_bit(at_work: Actor, settings: Any, chunk: int) -> None:
    settings.CUSTODY_CHUNK_ROWS = chunk
    made = awkward_shop()
    before = checksum(*SHOP)
    done = work(ask(at_work, "shop.customer", keys_of(made[:1]), cascade_also=ORDERS_TOO).change)
    assert done.applied == 10
    assert checksum(*SHOP) != before
    back = undo(done, at_work)
    assert (back.state, back.applied, back.skipped) == (State.DONE, 10, 0)
    assert checksum(*SHOP) == before
    assert back.verification is not None
    assert back.verification["equal"]


@pytest.mark.django_db
class TestTwice:
    @pytest.fixture
    def done(self, at_work: Actor) -> Change:
        return work(ask(at_work, "shop.order", keys_of([order_with_items(2) for _ in range(2)])).change)

    def test_an_undo_can_be_undone(self, done: Change, at_work: Actor) -> None:
        gone = checksum(*SHOP)
        back = undo(done, at_work)
        assert Order.objects.count() == 2
        again = undo(back, at_work)
        assert (again.applied, Order.objects.count()) == (6, 0)
        assert checksum(*SHOP) == gone

    def test_what_is_undone_is_not_undone_again(self, done: Change, at_work: Actor) -> None:
        undo(done, at_work)
        with pytest.raises(EmptySelection):
            gate.request_undo(done.pk, actor=at_work, reason=REASON)

    def test_a_change_that_still_runs_is_not_undone(self, at_work: Actor) -> None:
        running = ask(at_work, "shop.order", keys_of(orders(2))).change
        with pytest.raises(WrongState):
            gate.request_undo(running.pk, actor=at_work, reason=REASON)

    def test_a_change_that_did_nothing_is_not_undone(self, at_work: Actor) -> None:
        from changes import execution

        running = ask(at_work, "shop.order", keys_of(orders(2))).change
        execution.cancel(running.pk, actor=at_work)
        with pytest.raises(NothingToUndo):
            gate.request_undo(work(running).pk, actor=at_work, reason=REASON)

    def test_the_preview_says_what_would_come_back_and_keeps_nothing(self, done: Change, at_work: Actor) -> None:
        seen = preview_undo(done.pk, actor=at_work)
        assert (seen.rows, seen.conflicts) == (6, 0)
        assert [(part.entity, part.effect, part.rows) for part in seen.parts] == [
            ("shop.order", "revert", 2),
            ("shop.orderitem", "revert", 4),
        ]
        assert not Change.objects.filter(operation=Operation.UNDO).exists()


class TestConflicts:
    """Each is listed with its reason before anybody agrees, and again when it appears while the undo runs."""

    @pytest.fixture
    def done(self, real_db: Any, operator: Actor) -> Change:
        with acting(operator):
            self.rows = orders(4)
        return work(ask(operator, "shop.order", keys_of(self.rows)).change)

    def sql(self, operator: Actor, statement: str, *values: Any) -> None:
        with acting(operator), connection.cursor() as cursor:
            cursor.execute(statement, values)

    def reasons(self, operator: Actor, change: Change) -> dict[int, str]:
        with acting(operator):
            return dict(SkippedRow.objects.filter(change=change).values_list("position", "reason"))

    def changed(self, operator: Actor) -> str:
        self.sql(operator, "UPDATE shop_order SET status = 'kept by hand' WHERE id = %s", self.rows[0].pk)
        return "changed_since"

    def brought_back(self, operator: Actor) -> str:
        self.sql(operator, "UPDATE shop_order SET is_deleted = false WHERE id = %s", self.rows[0].pk)
        return "changed_since"

    def number_taken(self, operator: Actor) -> str:
        with acting(operator):
            order(number=self.rows[0].number)
        return "unique_taken"

    CONFLICTS = ("changed", "brought_back", "number_taken")

    @pytest.mark.parametrize("conflict", CONFLICTS)
    def test_a_conflict_before_the_undo_is_listed_and_left_alone(
        self, done: Change, operator: Actor, conflict: str
    ) -> None:
        make: Callable[[Actor], str] = getattr(self, conflict)
        reason = make(operator)
        with acting(operator):
            seen = preview_undo(done.pk, actor=operator)
            assert (seen.rows, seen.conflicts) == (3, 1)
            assert (seen.sample[0].key, seen.sample[0].reason) == (str(self.rows[0].pk), reason)
            row = checksum(f"(SELECT * FROM shop_order WHERE id = {self.rows[0].pk})")
        back = undo(done, operator)
        assert (back.applied, self.reasons(operator, back)) == (3, {self.rows[0].pk: reason})
        with acting(operator):
            assert checksum(f"(SELECT * FROM shop_order WHERE id = {self.rows[0].pk})") == row

    @pytest.mark.parametrize("conflict", CONFLICTS)
    def test_a_conflict_after_the_freeze_is_left_alone_too(self, done: Change, operator: Actor, conflict: str) -> None:
        with acting(operator):
            asked = gate.request_undo(done.pk, actor=operator, reason=REASON)
        make: Callable[[Actor], str] = getattr(self, conflict)
        reason = make(operator)
        back = work(asked.change)
        assert (back.state, back.applied, back.skipped) == (State.DONE, 3, 1)
        assert self.reasons(operator, back) == {self.rows[0].pk: reason}

    def test_a_parent_that_goes_after_the_freeze_is_the_reason_given(self, done: Change, operator: Actor) -> None:
        with acting(operator):
            asked = gate.request_undo(done.pk, actor=operator, reason=REASON)
        work(ask(operator, "shop.customer", keys_of([self.rows[0].customer])).change)
        back = work(asked.change)
        assert (back.applied, set(self.reasons(operator, back).values())) == (0, {"parent_deleted"})

    def test_a_row_that_was_removed_is_reported(self, real_db: Any, done: Change, operator: Actor) -> None:
        with real_db.owner() as owner:
            owner.execute("SET custody.all_tenants = 'on'")
            owner.execute("DELETE FROM shop_order WHERE id = %s", [self.rows[0].pk])
        back = undo(done, operator)
        assert (back.applied, self.reasons(operator, back)) == (3, {self.rows[0].pk: "gone"})

    def test_edits_of_other_columns_stay_and_the_row_comes_back(self, done: Change, operator: Actor) -> None:
        self.sql(operator, "UPDATE shop_order SET note = 'edited while deleted' WHERE id = %s", self.rows[0].pk)
        assert undo(done, operator).applied == 4
        with acting(operator):
            assert Order.objects.get(pk=self.rows[0].pk).note == "edited while deleted"

    def test_rows_do_not_come_back_under_a_parent_that_is_gone(
        self, real_db: Any, operator: Actor, approver: Actor
    ) -> None:
        with acting(operator):
            buyer = customer()
            made = orders(3, customer=buyer)
        done = work(ask(operator, "shop.order", keys_of(made)).change)
        work(ask(operator, "shop.customer", keys_of([buyer])).change)
        with acting(operator), pytest.raises(EmptySelection):
            gate.request_undo(done.pk, actor=operator, reason=REASON)
        with acting(operator):
            seen = preview_undo(done.pk, actor=operator)
        assert (seen.rows, {c.reason for c in seen.sample}) == (0, {"parent_deleted"})

    def test_of_two_rows_with_one_number_the_later_deleted_comes_back(self, real_db: Any, operator: Actor) -> None:
        with acting(operator):
            first = order(number="TWIN")
        work(ask(operator, "shop.order", keys_of([first])).change)
        with acting(operator):
            second = order(number="TWIN")
        done = work(ask(operator, "shop.order", keys_of([second])).change)
        outcome = ask(operator, "shop.order", keys_of([first, second]), operation="restore")
        back = work(outcome.change)
        with acting(operator):
            assert list(Order.objects.values_list("pk", flat=True)) == [second.pk]
        assert self.reasons(operator, back) == {first.pk: "unique_taken"}
        assert done.state == State.DONE


@pytest.mark.django_db
class TestRestore:
    def test_a_restored_row_brings_back_what_went_with_it(self, at_work: Actor) -> None:
        made = order_with_items(3)
        extra = order_with_items(1)
        before = checksum(*SHOP)
        work(ask(at_work, "shop.order", keys_of([made, extra])).change)
        for row in (made, extra):
            back = work(ask(at_work, "shop.order", keys_of([row]), operation="restore").change)
            assert back.state == State.DONE
        assert checksum(*SHOP) == before

    def test_a_restore_can_be_undone(self, at_work: Actor) -> None:
        made = order_with_items(2)
        work(ask(at_work, "shop.order", keys_of([made])).change)
        gone = checksum(*SHOP)
        back = work(ask(at_work, "shop.order", keys_of([made]), operation="restore").change)
        undo(back, at_work)
        assert checksum(*SHOP) == gone

    def test_live_rows_cannot_be_restored(self, at_work: Actor) -> None:
        with pytest.raises(EmptySelection):
            ask(at_work, "shop.order", keys_of([order()]), operation="restore")


def test_links_come_back_where_they_were_cleared_only(real_db: Any, operator: Actor) -> None:
    with acting(operator):
        buyer, stays = customer(), customer()
        leaf = customer(referred_by=buyer)
        before = checksum("shop_customer")
    done = work(ask(operator, "shop.customer", keys_of([buyer])).change)
    back = undo(done, operator)
    with acting(operator):
        assert checksum("shop_customer") == before
        Customer.objects.filter(pk=leaf.pk).update(referred_by=stays)
    done = work(ask(operator, "shop.customer", keys_of([buyer])).change)
    assert (back.applied, done.applied) == (2, 1)
    undo(done, operator)
    with acting(operator):
        assert Customer.objects.get(pk=leaf.pk).referred_by_id == stays.pk


def test_an_undo_goes_chunk_by_chunk_and_can_be_stopped(
    real_db: Any, operator: Actor, approver: Actor, chunks_of_two: None
) -> None:
    from changes import execution

    with acting(operator):
        made = orders(6)
    done = work(ask(operator, "shop.order", keys_of(made)).change)
    with acting(operator):
        back = gate.request_undo(done.pk, actor=operator, reason=REASON).change
    one_chunk(back)
    with acting(operator):
        execution.cancel(back.pk, actor=operator)
    assert (work(back).state, back.applied) == (State.CANCELLED, 2)
    rest = undo(done, operator)
    assert (rest.applied, rest.state) == (4, State.DONE)
    with acting(operator):
        assert Order.objects.count() == 6


def test_two_undos_at_once_are_refused(real_db: Any, operator: Actor) -> None:
    with acting(operator):
        done = work(ask(operator, "shop.order", keys_of(orders(2))).change)
        first = gate.request_undo(done.pk, actor=operator, reason=REASON)
        with pytest.raises(UndoExists) as refused:
            gate.request_undo(done.pk, actor=operator, reason=REASON)
    assert refused.value.facts["undo_id"] == first.change.pk


def test_children_deleted_earlier_on_their_own_stay_deleted(real_db: Any, operator: Actor) -> None:
    with acting(operator):
        made = order_with_items(2)
        first = made.items.first()
    work(ask(operator, "shop.orderitem", keys_of([first])).change)
    work(ask(operator, "shop.order", keys_of([made])).change)
    work(ask(operator, "shop.order", keys_of([made]), operation="restore").change)
    with acting(operator):
        assert OrderItem.objects.filter(order=made).count() == 1
        assert OrderItem.deleted.filter(pk=first.pk).exists()


def test_a_large_restore_needs_agreement_like_a_delete(real_db: Any, operator: Actor, approver: Actor) -> None:
    with acting(operator):
        made = orders(12)
    carry_out(ask(operator, "shop.order", keys_of(made)), operator, approver)
    outcome = ask(operator, "shop.order", keys_of(made), operation="restore")
    assert outcome.ticket is not None
    assert carry_out(outcome, operator, approver).applied == 12


def test_what_was_edited_while_deleted_still_comes_back_with_what_went_along(real_db: Any, operator: Actor) -> None:
    with acting(operator):
        made = order_with_items(2)
    work(ask(operator, "shop.order", keys_of([made])).change)
    with acting(operator):
        Order.deleted.filter(pk=made.pk).update(note="looked at in the bin")
    work(ask(operator, "shop.order", keys_of([made]), operation="restore").change)
    with acting(operator):
        assert OrderItem.objects.filter(order=made).count() == 2
        assert Order.objects.get(pk=made.pk).note == "looked at in the bin"
