"""A change takes only published steps: the verb refuses every other one, and so does the database."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from changes import execution
from changes.errors import WrongState
from changes.models import Change, ChangePart, FrozenRow
from changes.states import ALLOWED, State
from foundation.actor import Actor
from shop.models import Order
from tests.journey import ask, keys_of, work
from tests.personas import orders

pytestmark = pytest.mark.django_db
EDGES = [(a, b) for a in State for b in State if a != b]
LEGAL = [(a, b) for a, b in EDGES if b in ALLOWED[a]]
ILLEGAL = [(a, b) for a, b in EDGES if b not in ALLOWED[a]]


def path_to(state: State) -> list[State]:
    """The shortest way from draft, over published steps."""
    ways = [[State.DRAFT]]
    for way in ways:
        if way[-1] == state:
            return way
        ways += [[*way, step] for step in sorted(ALLOWED[way[-1]]) if step not in way]
    raise AssertionError(f"{state} cannot be reached")


def change_in(state: State) -> Change:
    change = Change.objects.create(
        tenant_id=1, operation="delete", entity="shop.order", state="draft", requester_name="x"
    )
    for step in path_to(state)[1:]:
        Change.objects.filter(pk=change.pk).update(state=step)
    change.refresh_from_db()
    return change


def test_every_state_can_be_reached_and_terminal_ones_are_never_left() -> None:
    assert all(path_to(state)[-1] == state for state in State)
    assert {state for state in State if not ALLOWED[state]} == {State.DONE, State.CANCELLED, State.REFUSED}


@pytest.mark.parametrize(("source", "target"), LEGAL, ids=lambda s: str(s))
def test_a_published_step_is_taken(at_work: Actor, source: State, target: State) -> None:
    change = change_in(source)
    execution.move(change, target)
    assert change.state == target


@pytest.mark.parametrize(("source", "target"), ILLEGAL, ids=lambda s: str(s))
def test_any_other_step_is_refused_by_the_verb_and_by_the_database(
    at_work: Actor, source: State, target: State
) -> None:
    change = change_in(source)
    with pytest.raises(WrongState):
        execution.move(change, target)
    with pytest.raises(DatabaseError, match="custody: a change that is"), transaction.atomic():
        Change.objects.filter(pk=change.pk).update(state=target)


def test_a_change_begins_as_a_draft(at_work: Actor) -> None:
    for state in set(State) - {State.DRAFT}:
        with pytest.raises(DatabaseError, match="begins as a draft"), transaction.atomic():
            Change.objects.create(tenant_id=1, operation="delete", entity="shop.order", state=state, requester_name="x")


class TestFrozen:
    """What was frozen stays as it was frozen, also against SQL of the application's own login."""

    @pytest.fixture
    def waiting(self, at_work: Actor) -> Change:
        return ask(at_work, "shop.order", keys_of(orders(12))).change

    @pytest.mark.parametrize(
        "column",
        [
            "digest = 'x'",
            "operation = 'restore'",
            "entity = 'shop.customer'",
            "rows_selected = 1",
            "rows_total = 1",
            "requester_person_id = -1",
            "requested_by_id = -1",
            "reason = 'another reason'",
            "title = 'another'",
            "undo_of_id = id",
            'options = \'{"cascade_also": ["shop.order.customer"]}\'',
            "selection = '{}'",
            "schema_fingerprint = ''",
            "frozen_at = clock_timestamp()",
            "retry_of_id = id",
            "drift_accepted = 5",
        ],
    )
    def test_the_change_is_not_rewritten(self, waiting: Change, column: str) -> None:
        self.refused(f"UPDATE changes_change SET {column} WHERE id = {waiting.pk}")

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE changes_frozenrow SET token = '1' WHERE change_id = {id}",
            "DELETE FROM changes_frozenrow WHERE change_id = {id}",
            "INSERT INTO changes_frozenrow (tenant_id, change_id, part, position, token) VALUES (1, {id}, 0, 999, '1')",
            "UPDATE changes_changepart SET rows = 1 WHERE change_id = {id}",
            "UPDATE changes_changepart SET columns = '[\"total\"]' WHERE change_id = {id}",
            "INSERT INTO changes_changepart (tenant_id, change_id, part, depth, step, entity, effect, via, columns, rows, "
            "conflicts) VALUES (1, {id}, 9, 0, 0, 'shop.order', 'delete', '', '[]', 1, 0)",
        ],
    )
    def test_its_rows_and_parts_are_not_rewritten(self, waiting: Change, statement: str) -> None:
        self.refused(statement.format(id=waiting.pk))

    @pytest.mark.parametrize("table", ["changes_change", "changes_changepart", "changes_frozenrow", "changes_lane"])
    def test_nothing_of_it_can_be_emptied(self, waiting: Change, table: str) -> None:
        self.refused(f"TRUNCATE {table} CASCADE", "permission denied|must be owner")

    @pytest.mark.parametrize("table", ["changes_change", "changes_changepart", "changes_lane", "approvals_ticket"])
    def test_nothing_of_it_can_be_removed(self, waiting: Change, table: str) -> None:
        self.refused(f"DELETE FROM {table}", "permission denied")

    def test_a_part_that_does_not_count_its_rows_is_never_frozen(self, at_work: Actor) -> None:
        change = change_in(State.DRAFT)
        made = orders(12)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO changes_frozenrow (tenant_id, change_id, part, position, token) "
                "SELECT 1, %s, 0, id, xmin FROM shop_order WHERE id = ANY(%s)",
                [change.pk, [o.pk for o in made]],
            )
        ChangePart.objects.create(tenant_id=1, change=change, part=0, entity="shop.order", effect="delete", rows=1)
        self.refused(f"UPDATE changes_change SET state = 'frozen' WHERE id = {change.pk}", "do not count")

    def test_rows_without_a_part_are_never_frozen(self, at_work: Actor) -> None:
        change = change_in(State.DRAFT)
        FrozenRow.objects.create(tenant_id=1, change_id=change.pk, part=0, position=1, token=1)
        self.refused(f"UPDATE changes_change SET state = 'frozen' WHERE id = {change.pk}", "do not count")

    def refused(self, statement: str, words: str = "custody:") -> None:
        with pytest.raises(DatabaseError, match=words), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


class TestVerbs:
    def test_a_change_is_started_once(self, at_work: Actor) -> None:
        running = ask(at_work, "shop.order", keys_of(orders(2))).change
        with pytest.raises(WrongState):
            execution.start(running.pk, actor=at_work)

    def test_a_change_that_waits_is_not_started(self, at_work: Actor) -> None:
        waiting = ask(at_work, "shop.order", keys_of(orders(12))).change
        with pytest.raises(WrongState):
            execution.start(waiting.pk, actor=at_work)
        assert Order.objects.count() == 12

    @pytest.mark.parametrize("end", [State.DONE, State.CANCELLED])
    def test_what_has_ended_is_neither_started_nor_stopped(self, at_work: Actor, end: State) -> None:
        change = ask(at_work, "shop.order", keys_of(orders(2))).change
        if end == State.CANCELLED:
            execution.cancel(change.pk, actor=at_work)
        assert work(change).state == end
        for verb in (execution.start, execution.cancel):
            with pytest.raises(WrongState):
                verb(change.pk, actor=at_work)

    def test_a_change_that_waits_cannot_be_stopped(self, at_work: Actor) -> None:
        waiting = ask(at_work, "shop.order", keys_of(orders(12))).change
        with pytest.raises(WrongState):
            execution.cancel(waiting.pk, actor=at_work)

    @pytest.mark.parametrize("role", ["approver", "auditor", "administrator"])
    def test_who_may_not_start_cannot(self, at_work: Actor, request: Any, role: str) -> None:
        from access.errors import NotAllowed

        change = ask(at_work, "shop.order", keys_of(orders(2))).change
        for verb in (execution.start, execution.cancel):
            with pytest.raises(NotAllowed):
                verb(change.pk, actor=request.getfixturevalue(role))


def test_the_tables_of_python_and_of_the_database_are_the_same() -> None:
    """Both are walked above edge by edge; here only that no edge was forgotten."""
    assert len(LEGAL) + len(ILLEGAL) == len(list(itertools.permutations(State, 2)))
