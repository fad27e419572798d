"""An update sets fields of a selection: typed, refused where a value cannot be, and taken back field by field."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from changes import execution, lanes
from changes.errors import (
    BadOption,
    BadValue,
    EmptySelection,
    NothingToSet,
    NotWritable,
    SayIncluding,
    UniqueForSeveral,
    UnknownField,
)
from changes.models import Change, SkippedRow
from changes.planning import preview
from changes.selection import Selection
from changes.states import Effect, SkipReason, State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Customer, Order
from tests.journey import agree, ask, carry_out, checksum, keys_of, one_chunk, undo, work
from tests.personas import customer, order, orders

OPEN = {"where": [{"field": "state", "value": "open"}]}


def update(actor: Actor, selection: Any, entity: str = "shop.order", **values: Any) -> Any:
    return ask(actor, entity, selection, operation="update", options={"set": values})


@pytest.mark.django_db
class TestSetting:
    def test_the_named_fields_become_what_was_asked_and_nothing_else(self, at_work: Actor, chunks_of_two: None) -> None:
        rows, other = orders(5, state="open"), order(state="shipped", note="as it was")
        done = work(update(at_work, OPEN, state="paid", note="settled").change)
        assert (done.state, done.applied, done.skipped) == (State.DONE, 5, 0)
        assert set(Order.objects.filter(pk__in=[r.pk for r in rows]).values_list("state", "note", "currency")) == {
            ("paid", "settled", "EUR")
        }
        other.refresh_from_db()
        assert (other.state, other.note) == ("shipped", "as it was")
        assert done.verification is not None
        assert done.verification["equal"]

    def test_the_time_of_the_last_save_moves_along(self, at_work: Actor) -> None:
        one = order(state="open")
        before = timezone.now() - timedelta(days=1)
        Order.objects.filter(pk=one.pk).update(updated_at=before)
        done = work(update(at_work, keys_of([one]), state="paid").change)
        one.refresh_from_db()
        assert one.updated_at > before
        assert set(done.parts.get().columns) == {"state", "updated_at"}

    def test_a_row_that_holds_the_values_already_is_not_frozen(self, at_work: Actor) -> None:
        orders(2, state="open")
        made = update(at_work, {"keys": [o.pk for o in orders(2, state="paid")] + [order().pk]}, state="paid").change
        assert (made.rows_selected, made.rows_total) == (3, 1)

    def test_where_every_row_holds_them_there_is_nothing_to_do(self, at_work: Actor) -> None:
        with pytest.raises(EmptySelection):
            update(at_work, keys_of(orders(2, state="paid")), state="paid")

    def test_values_of_every_kind_arrive_as_they_were_given(self, at_work: Actor) -> None:
        one, friend = customer(), customer()
        given = {
            "name": "Zoë 🦊 'x' %s \\",
            "born_on": "0001-01-01",
            "credit_limit": "12345678901234567890.0123456789",
            "score": 1e-300,
            "preferences": {"a": [1, None, "é"]},
            "labels": ["a,b", '"q"', "NULL"],
            "referred_by": friend.pk,
        }
        work(update(at_work, keys_of([one]), "shop.customer", **given).change)
        one.refresh_from_db()
        assert (one.name, one.score, one.preferences) == (given["name"], given["score"], given["preferences"])
        assert (one.labels, str(one.credit_limit)) == (given["labels"], given["credit_limit"])
        assert (one.born_on.isoformat(), one.referred_by_id) == (given["born_on"], friend.pk)

    def test_a_field_that_may_be_empty_can_be_emptied(self, at_work: Actor) -> None:
        one = customer(score=1.5, notes="x")
        work(update(at_work, keys_of([one]), "shop.customer", score=None, notes="").change)
        one.refresh_from_db()
        assert (one.score, one.notes) == (None, "")

    def test_the_title_says_what_is_set(self, at_work: Actor) -> None:
        made = update(at_work, keys_of(orders(1, state="open")), state="paid").change
        assert made.title.endswith("state becomes paid")

    def test_a_sensitive_value_is_never_told(self, at_work: Actor) -> None:
        options = {"set": {"phone": "555-1234"}, "including": ["phone"]}
        made = ask(at_work, "shop.customer", keys_of([customer()]), operation="update", options=options).change
        assert "555" not in made.title
        assert Customer.objects.get(pk=made.selection["keys"][0]).phone == ""

    def test_the_same_request_with_another_value_has_another_fingerprint(self, at_work: Actor) -> None:
        row = keys_of([order(state="open")])
        one, other = (update(at_work, row, note=text).change for text in ("a", "b"))
        assert one.digest != other.digest

    def test_the_preview_counts_and_keeps_nothing(self, at_work: Actor) -> None:
        orders(3, state="open")
        selection = Selection.parse(OPEN, Order)
        seen = preview(
            at_work, entity=Order, operation="update", selection=selection, options={"set": {"state": "paid"}}
        )
        assert [(part.effect, part.rows) for part in seen.plan.parts] == [(Effect.SET, 3)]
        assert not Change.objects.exists()


@pytest.mark.django_db
class TestRefusals:
    @pytest.mark.parametrize(
        ("values", "error", "place"),
        [
            ({}, NothingToSet, "options.set"),
            ({"colour": "red"}, UnknownField, "options.set.colour"),
            ({"is_deleted": True}, NotWritable, "options.set.is_deleted"),
            ({"deleted_at": None}, NotWritable, "options.set.deleted_at"),
            ({"retention_policy": "x"}, NotWritable, "options.set.retention_policy"),
            ({"tenant_id": 2}, NotWritable, "options.set.tenant_id"),
            ({"id": 7}, NotWritable, "options.set.id"),
            ({"updated_at": "2020-01-01T00:00:00Z"}, NotWritable, "options.set.updated_at"),
            ({"state": "eaten"}, BadValue, "options.set.state"),
            ({"state": None}, BadValue, "options.set.state"),
            ({"status": "archived"}, BadValue, "options.set.status"),
            ({"currency": "EURO"}, BadValue, "options.set.currency"),
            ({"total": "many"}, BadValue, "options.set.total"),
            ({"total": "1.001"}, BadValue, "options.set.total"),
            ({"total": True}, BadValue, "options.set.total"),
            ({"note": "a\x00b"}, BadValue, "options.set.note"),
            ({"number": ""}, BadValue, "options.set.number"),
            ({"customer": 0}, BadValue, "options.set.customer"),
            ({"customer": None}, BadValue, "options.set.customer"),
        ],
    )
    def test_a_value_that_cannot_be_is_refused_at_asking(
        self, at_work: Actor, values: dict[str, Any], error: type[Exception], place: str
    ) -> None:
        with pytest.raises(error) as refused:
            update(at_work, keys_of([order()]), **values)
        assert refused.value.facts["field"] == place  # type: ignore[attr-defined]
        assert str(refused.value)
        assert not Change.objects.exists()

    def test_an_option_nobody_knows_is_refused(self, at_work: Actor) -> None:
        with pytest.raises(BadOption):
            ask(at_work, "shop.order", OPEN, operation="update", options={"set": {"state": "paid"}, "force": True})

    def test_a_sensitive_field_is_written_only_by_saying_so(self, at_work: Actor) -> None:
        with pytest.raises(SayIncluding):
            update(at_work, keys_of([customer()]), "shop.customer", phone="1")

    def test_a_deleted_row_is_no_parent(self, at_work: Actor) -> None:
        gone = customer()
        work(ask(at_work, "shop.customer", keys_of([gone])).change)
        with pytest.raises(BadValue):
            update(at_work, keys_of([order()]), customer=gone.pk)

    def test_a_row_of_another_tenant_is_no_parent(self, at_work: Actor, outsider: Actor) -> None:
        with acting(outsider):
            theirs = customer()
        with acting(at_work), pytest.raises(BadValue):
            update(at_work, keys_of([order()]), customer=theirs.pk)

    def test_one_unique_value_for_several_rows_is_refused(self, at_work: Actor) -> None:
        with pytest.raises(UniqueForSeveral):
            update(at_work, keys_of(orders(2)), number="A-1")

    def test_a_unique_value_that_is_taken_is_a_conflict(self, at_work: Actor) -> None:
        one, other = orders(2)
        with pytest.raises(EmptySelection):
            update(at_work, keys_of([one]), number=other.number)

    def test_a_unique_value_of_a_deleted_row_is_free(self, at_work: Actor) -> None:
        one, gone = orders(2)
        work(ask(at_work, "shop.order", keys_of([gone])).change)
        work(update(at_work, keys_of([one]), number=gone.number).change)
        one.refresh_from_db()
        assert one.number == gone.number

    def test_more_rows_than_the_threshold_need_another_person(self, at_work: Actor) -> None:
        orders(11, state="open")
        assert update(at_work, OPEN, state="paid").ticket is not None


class TestWhileItRuns:
    """What happened between the freeze and the chunk is left alone and listed."""

    @pytest.fixture
    def frozen(self, real_db: Any, operator: Actor, approver: Actor) -> Change:
        with acting(operator):
            self.rows = orders(12, state="open")
        outcome = update(operator, OPEN, state="paid")
        agree(outcome.ticket, approver)
        return outcome.change

    def run(self, change: Change, actor: Actor) -> Change:
        with acting(actor):
            execution.start(change.pk, actor=actor)
        return work(change)

    def reasons(self, actor: Actor, change: Change) -> dict[int, str]:
        with acting(actor):
            return dict(SkippedRow.objects.filter(change=change).values_list("position", "reason"))

    def test_a_row_that_moved_is_left_alone(self, frozen: Change, operator: Actor) -> None:
        with acting(operator):
            Order.objects.filter(pk=self.rows[0].pk).update(note="mine")
        done = self.run(frozen, operator)
        assert (done.applied, done.skipped) == (11, 1)
        assert self.reasons(operator, done) == {self.rows[0].pk: SkipReason.CHANGED}

    def test_a_crash_midway_repeats_nothing(self, frozen: Change, operator: Actor, settings: Any) -> None:
        settings.CUSTODY_CHUNK_ROWS = 5
        with acting(operator):
            execution.start(frozen.pk, actor=operator)
        one_chunk(frozen)
        with acting(operator):
            lanes.Lane.objects.filter(change_id=frozen.pk).update(worker="dead", heartbeat_at=None)
        with acting(operator), connection.cursor() as cursor:
            cursor.execute("UPDATE changes_lane SET heartbeat_at = %s", [timezone.now() - timedelta(hours=1)])
        done = work(frozen, worker="second")
        assert (done.applied, done.state) == (12, State.DONE)
        assert done.verification is not None
        assert done.verification["equal"]

    def test_a_unique_value_taken_meanwhile_is_found_at_the_chunk(self, real_db: Any, operator: Actor) -> None:
        with acting(operator):
            one = order()
        made = update(operator, keys_of([one]), number="WANTED").change
        with acting(operator):
            order(number="WANTED")
        done = work(made)
        assert (done.applied, self.reasons(operator, done)) == (0, {one.pk: SkipReason.UNIQUE})

    def test_a_parent_deleted_meanwhile_is_found_at_the_chunk(self, real_db: Any, operator: Actor) -> None:
        with acting(operator):
            one, parent = order(), customer()
        made = update(operator, keys_of([one]), customer=parent.pk).change
        work(ask(operator, "shop.customer", keys_of([parent])).change)
        done = work(made)
        assert (done.applied, self.reasons(operator, done)) == (0, {one.pk: SkipReason.PARENT})


@pytest.mark.django_db
class TestUndo:
    def test_an_undo_brings_every_field_back_bit_by_bit(self, at_work: Actor, chunks_of_two: None) -> None:
        for n in range(5):
            customer(score=float("-0.0"), credit_limit=None if n else "1.5000000000")
        before = checksum("shop_customer")
        selection = {"where": [{"field": "plan", "value": "trial"}]}
        done = work(update(at_work, selection, "shop.customer", plan="pro", score=0, credit_limit="1.5").change)
        assert done.applied == 5
        assert checksum("shop_customer") != before
        assert undo(done, at_work).applied == 5
        assert checksum("shop_customer") == before

    def test_what_somebody_did_to_another_field_stays(self, at_work: Actor) -> None:
        one = order(state="open")
        done = work(update(at_work, keys_of([one]), state="paid").change)
        one.refresh_from_db()
        one.note = "mine"
        one.save()
        assert undo(done, at_work).applied == 1
        one.refresh_from_db()
        assert (one.state, one.note) == ("open", "mine")


def test_the_update_of_a_large_selection_is_carried_out_after_a_vote(
    real_db: Any, operator: Actor, approver: Actor
) -> None:
    with acting(operator):
        orders(12, state="open")
    done = carry_out(update(operator, OPEN, state="cancelled"), operator, approver)
    assert (done.state, done.applied) == (State.DONE, 12)
