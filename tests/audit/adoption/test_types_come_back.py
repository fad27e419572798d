"""Every type of PostgreSQL comes back bit by bit, from the recycle bin and from nothing; equal is not the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from approvals import gate
from changes.undoing import preview_undo_of_events
from foundation.context import acting
from tests import journey
from tests.audit.adoption.conftest import Adoption

COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = 'typed.kept'::regclass AND attnum > 0 ORDER BY attnum"


@pytest.fixture
def typed(adoption: Adoption) -> Iterator[Adoption]:
    """The table, adopted, with a copy of its rows beside it."""
    adoption.load("typed")
    with adoption.owner() as owner:
        owner.execute("CREATE TABLE typed.kept AS TABLE typed.everything")
    adoption.adopt("typed", "--tables", "everything")
    with adoption.installed("typed"):
        yield adoption


def differing(adoption: Adoption) -> list[tuple[int, str]]:
    """(key, column) of every value that is not what it was, by record image; a missing row differs in every column."""
    with adoption.owner() as owner:
        columns = [row[0] for row in owner.execute(COLUMNS).fetchall()]
        assert len(columns) > 55
        found = []
        for column in columns:
            rows = owner.execute(
                f"SELECT k.id FROM typed.kept k LEFT JOIN typed.everything e USING (id) "
                f"WHERE e.id IS NULL OR ROW(k.{column})::record *<> ROW(e.{column})::record"
            ).fetchall()
            found += [(row[0], column) for row in rows]
    return found


def events_of(adoption: Adoption, *statements: str) -> list[int]:
    """Run statements of another program; return their events."""
    newest = "SELECT coalesce(max(event_id), 0) FROM custody.typed_h_everything"
    with adoption.owner() as owner:
        (last,) = owner.execute(newest).fetchone() or (0,)
        for statement in statements:
            owner.execute(statement)
        listed = f"SELECT DISTINCT event_id FROM custody.typed_h_everything WHERE event_id > {last}"
        return [row[0] for row in owner.execute(listed).fetchall()]


def test_a_deleted_row_of_every_type_comes_back_the_same(typed: Adoption, operator: Any) -> None:
    assert differing(typed) == []
    done = journey.work(journey.ask(operator, "typed.everything", {"keys": [1, 2, 3]}).change)
    assert done.applied == 3
    back = journey.undo(done, operator)
    assert (back.applied, back.skipped, back.error) == (3, 0, "")
    assert differing(typed) == []


def test_a_removed_row_of_every_type_comes_back_the_same(typed: Adoption, operator: Any) -> None:
    events = events_of(typed, "DELETE FROM typed.everything")
    assert len({key for key, _ in differing(typed)}) == 3
    with acting(operator):
        outcome = gate.request_undo_of_events(events, actor=operator, reason=journey.REASON, entity="typed.everything")
    back = journey.carry_out(outcome, operator)
    assert (back.applied, back.skipped, back.error) == (3, 0, "")
    assert differing(typed) == []


# The operator = calls these the same as before. They are not.
EQUAL = (
    ("c_numeric", "1.1"),
    ("c_real", "0"),
    ("c_double", "0"),
    ("c_interval", "1 day"),
    ("c_json", '{"a": 1, "a": 2.50}'),
    ("c_doubles", "{0,NaN,Infinity}"),
    ("c_numrange", "[1.0,1.0]"),
    ("c_point", "(0,0)"),
    ("c_inet", "10.0.0.2/8"),
    ("c_ints", "{1,NULL,3}"),
)


def test_a_value_that_only_equals_what_a_statement_left_is_newer_work(typed: Adoption, operator: Any) -> None:
    """A statement writes the row; then somebody sets the equal, different value; the undo must not overwrite it."""
    for column, value in EQUAL:
        kept = f"(SELECT {column} FROM typed.kept WHERE id = 1)"
        events_of(typed, f"UPDATE typed.everything SET {column} = NULL WHERE id = 1")
        options = {
            "source": {"events": events_of(typed, f"UPDATE typed.everything SET {column} = {kept} WHERE id = 1")}
        }
        with acting(operator):
            seen = preview_undo_of_events("typed.everything", actor=operator, options=options)
            assert (seen.rows, seen.conflicts) == (1, 0), column
        events_of(typed, f"UPDATE typed.everything SET {column} = '{value}' WHERE id = 1")
        with acting(operator):
            seen = preview_undo_of_events("typed.everything", actor=operator, options=options)
        assert (seen.rows, seen.conflicts) == (0, 1), column
