"""What stands against a row is decided by rule: left alone, kept field by field, overwritten with a second person, or stop."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from approvals import gate
from changes import conflicts, execution
from changes.errors import BadOption, BadRule, ConflictsFound, UnknownConflict
from changes.models import Change
from changes.states import State
from changes.undoing import preview_undo
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.changes.test_undo_events import reasons, sql
from tests.databases import RealDatabase
from tests.journey import REASON, ask, carry_out, keys_of, undo, work
from tests.personas import order, orders


def undo_statement(actor: Actor, events: list[int], *voters: Actor, **rules: str) -> Change:
    with acting(actor):
        outcome = gate.request_undo_of_events(events, actor=actor, reason=REASON, options={"conflicts": rules})
    return carry_out(outcome, actor, *voters)


@pytest.fixture
def disputed(real_db: RealDatabase, operator: Actor) -> tuple[list[Any], list[int]]:
    """Two orders, note and total set by one statement; then somebody changes the note of the first."""
    with acting(operator):
        made = orders(2, note="as it was", total="1.00")
    events = sql(operator, "UPDATE shop_order SET note = 'slip', total = 0")
    sql(operator, f"UPDATE shop_order SET note = 'by hand' WHERE id = {made[0].pk}")
    return made, events


def content(actor: Actor, row: Any) -> tuple[str, str]:
    with acting(actor):
        found = Order.objects_and_deleted.get(pk=row.pk)
    return found.note, str(found.total)


def test_without_a_rule_the_row_is_left_alone(disputed: Any, operator: Actor) -> None:
    made, events = disputed
    back = undo_statement(operator, events)
    assert reasons(operator, back) == {made[0].pk: "changed_since"}
    assert [content(operator, row) for row in made] == [("by hand", "0.00"), ("as it was", "1.00")]


def test_keep_theirs_keeps_the_field_they_changed_and_brings_the_others_back(disputed: Any, operator: Actor) -> None:
    made, events = disputed
    back = undo_statement(operator, events, changed_since="keep_theirs")
    assert (back.applied, back.skipped) == (2, 0)
    assert [content(operator, row) for row in made] == [("by hand", "1.00"), ("as it was", "1.00")]


def test_force_brings_everything_back_and_needs_a_second_person_however_few_the_rows(
    disputed: Any, operator: Actor, approver: Actor
) -> None:
    made, events = disputed
    with acting(operator):
        outcome = gate.request_undo_of_events(
            events, actor=operator, reason=REASON, options={"conflicts": {"changed_since": "force"}}
        )
        assert outcome.ticket is not None
        assert outcome.change.state == State.WAITING
    back = carry_out(outcome, operator, approver)
    assert (back.applied, back.skipped) == (2, 0)
    assert [content(operator, row) for row in made] == [("as it was", "1.00"), ("as it was", "1.00")]


def test_the_database_too_refuses_to_force_without_a_second_person(disputed: Any, operator: Actor) -> None:
    _, events = disputed
    with acting(operator):
        change = gate.request_undo_of_events(
            events, actor=operator, reason=REASON, options={"conflicts": {"changed_since": "force"}}
        ).change
        with pytest.raises(DatabaseError, match="approved by enough others"), transaction.atomic():
            Change.objects.filter(pk=change.pk).update(state=State.CLEARED)
        with pytest.raises(DatabaseError, match="not rewritten"), transaction.atomic():
            Change.objects.filter(pk=change.pk).update(approvals_least=0)


def test_abort_stops_before_anything_is_asked(disputed: Any, operator: Actor) -> None:
    made, events = disputed
    with acting(operator), pytest.raises(ConflictsFound) as stopped:
        gate.request_undo_of_events(
            events, actor=operator, reason=REASON, options={"conflicts": {"changed_since": "abort"}}
        )
    assert stopped.value.facts["rows"] == 1
    assert stopped.value.facts["first"] == made[0].pk
    assert [content(operator, row) for row in made] == [("by hand", "0.00"), ("slip", "0.00")]


def test_abort_stops_a_run_at_the_chunk_that_meets_the_conflict_and_changes_nothing_of_it(
    real_db: RealDatabase, operator: Actor
) -> None:
    with acting(operator):
        made = orders(3)
    done = work(ask(operator, "shop.order", keys_of(made)).change)
    with acting(operator):
        asked = gate.request_undo(
            done.pk, actor=operator, reason=REASON, options={"conflicts": {"changed_since": "abort"}}
        )
        Order.deleted.filter(pk=made[1].pk).update(status="kept by hand")
    stopped = work(asked.change)
    assert (stopped.state, stopped.applied) == (State.FAILED, 0)
    assert "conflict" in stopped.error
    with acting(operator):
        assert not Order.objects.exists()
        Order.deleted.filter(pk=made[1].pk).update(status="archived")
        execution.start(stopped.pk, actor=operator)
    assert work(stopped).applied == 3


def test_the_columns_of_a_soft_delete_are_one_field(real_db: RealDatabase, operator: Actor) -> None:
    """Half of it would leave a row alive with the time of its deletion."""
    with acting(operator):
        made = orders(1)
    done = work(ask(operator, "shop.order", keys_of(made)).change)
    with acting(operator):
        Order.deleted.filter(pk=made[0].pk).update(status="kept by hand")
        seen = preview_undo(done.pk, actor=operator, options={"conflicts": {"changed_since": "keep_theirs"}})
    assert (seen.rows, seen.conflicts) == (0, 1)


def test_a_unique_value_taken_can_stop_the_undo(real_db: RealDatabase, operator: Actor) -> None:
    with acting(operator):
        made = orders(2)
    done = work(ask(operator, "shop.order", keys_of(made)).change)
    with acting(operator):
        order(number=made[0].number)
        with pytest.raises(ConflictsFound, match="unique value"):
            gate.request_undo(done.pk, actor=operator, reason=REASON, options={"conflicts": {"unique_taken": "abort"}})
    assert undo(done, operator).applied == 1


def test_what_the_rule_is_belongs_to_the_fingerprint(disputed: Any, operator: Actor) -> None:
    _, events = disputed
    digests = set()
    for rules in ({}, {"changed_since": "keep_theirs"}):
        with acting(operator):
            change = gate.request_undo_of_events(
                events, actor=operator, reason=REASON, title="the same", options={"conflicts": rules}
            ).change
        digests.add(change.digest)
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("rules", "error", "field"),
    [
        ({"nonsense": "skip"}, UnknownConflict, "conflicts"),
        ({"changed_since": "nonsense"}, BadRule, "conflicts.changed_since"),
        ({"unique_taken": "force"}, BadRule, "conflicts.unique_taken"),
        ("skip", UnknownConflict, "conflicts"),
    ],
)
def test_an_unknown_rule_is_refused_by_name(rules: Any, error: type[Exception], field: str) -> None:
    with pytest.raises(error) as refused:
        conflicts.parse(rules)
    assert refused.value.facts["field"] == field  # type: ignore[attr-defined]


@pytest.mark.django_db
def test_an_unknown_option_is_refused_by_name(at_work: Actor) -> None:
    done = work(ask(at_work, "shop.order", keys_of(orders(1))).change)
    with pytest.raises(BadOption, match="nonsense"):
        gate.request_undo(done.pk, actor=at_work, reason=REASON, options={"nonsense": 1})


def test_a_raw_update_of_a_saved_row_is_undone_though_every_save_writes_the_time(
    real_db: RealDatabase, operator: Actor
) -> None:
    """`updated_at` is written by each save: a later one of another field is no conflict, and its time stays."""
    with acting(operator):
        made = order(note="as it was")
        first = Order.objects.get(pk=made.pk)
        first.note = "slip"
    events = _saved(operator, first)
    with acting(operator):
        second = Order.objects.get(pk=made.pk)
        second.total = 77
        second.save()
        stamp = Order.objects.get(pk=made.pk).updated_at
    back = undo_statement(operator, events)
    assert (back.applied, back.skipped) == (1, 0)
    with acting(operator):
        found = Order.objects.get(pk=made.pk)
    assert (found.note, str(found.total), found.updated_at) == ("as it was", "77.00", stamp)


def _saved(actor: Actor, row: Any) -> list[int]:
    from audit.models import Event

    with acting(actor):
        last = Event.objects.order_by("-pk").values_list("pk", flat=True)[0]
        row.save()
        assert connection.in_atomic_block is False
        return list(Event.objects.filter(pk__gt=last).values_list("pk", flat=True))
