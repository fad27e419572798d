"""Columns without an equality operator, and values that are equal but not the same, are told apart bit by bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from audit import capture

COLUMNS = ("id", "plain", "spaced", "ratio", "amount", "place")
TABLE = """
CREATE TABLE odd (id bigint PRIMARY KEY, plain text, spaced json, ratio float8, amount numeric, place point);
CREATE TABLE odd_history (history_id bigint GENERATED ALWAYS AS IDENTITY, history_date timestamptz, history_type varchar(1),
  history_user_id bigint, history_change_reason text, event_id bigint, change_id bigint, xid xid8,
  id bigint, plain text, spaced json, ratio float8, amount numeric, place point);
INSERT INTO audit_governedtable (table_name, entity, row_limit, window_rows) VALUES ('public.odd', 'x.odd', 10, 200);
"""


@pytest.fixture
def odd(real_db: Any) -> Iterator[Any]:
    spec = capture.CaptureSpec(
        table=("public", "odd"),
        history=("public", "odd_history"),
        columns=COLUMNS,
        key=("id",),
        tenant=None,
        entity="x.odd",
    )
    with real_db.owner() as owner:
        owner.execute(TABLE)
        owner.execute(capture.create(spec))
        owner.execute(
            """INSERT INTO odd VALUES (1, 'a', '{"a": 1}', 0.0, 1.0, '(1,2)'), (2, 'b', NULL, 0.0, 1.0, NULL)"""
        )
        yield owner


def _before(odd: Any) -> Any:
    row = odd.execute("SELECT before_state FROM audit_event WHERE entity = 'x.odd' ORDER BY id DESC LIMIT 1").fetchone()
    return row[0]


@pytest.mark.parametrize(
    ("sets", "before"),
    [
        ("plain = 'z'", {"plain": "a"}),
        ("""spaced = '{"a":1}'""", {"spaced": {"a": 1}}),
        ("spaced = NULL", {"spaced": {"a": 1}}),
        ("ratio = '-0.0'", {"ratio": 0}),
        ("amount = 1.00", {"amount": 1.0}),
        ("place = '(1,3)'", {"place": "(1,2)"}),
        ("plain = 'a'", None),
    ],
)
def test_a_single_row_says_what_its_changed_columns_held(odd: Any, sets: str, before: Any) -> None:
    odd.execute(f"UPDATE odd SET {sets} WHERE id = 1")
    assert _before(odd) == before


def test_a_removed_row_is_kept_whole(odd: Any) -> None:
    odd.execute("DELETE FROM odd WHERE id = 1")
    assert _before(odd)["spaced"] == {"a": 1}
