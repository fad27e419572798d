"""Differences between versions: what is told apart, and what is not a difference."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from console.presenters.diff import MISSING, field_diff, record_diff, value
from console.presenters.words import LONG_TEXT


def text(one) -> str:
    return "".join(segment.text for segment in one.segments)


@pytest.mark.parametrize(
    ("old", "new", "what"), [("a", "b", "changed"), (None, "b", "filled"), ("a", None, "cleared"), ("a", "", "changed")]
)
def test_changed_filled_and_cleared_are_told_apart(old, new, what):
    assert field_diff("f", "f", old, new).what == what


@pytest.mark.parametrize(
    ("one", "word"), [(None, "empty"), ("", "blank"), ("  ", "only spaces"), (MISSING, "not there"), ("x", "")]
)
def test_empty_blank_and_absent_are_told_apart(one, word):
    assert value(one).word == word


def test_false_and_zero_are_values():
    assert text(value(False)) == "no"
    assert text(value(0)) == "0"


def test_numbers_and_times_compare_by_value():
    same = datetime(2026, 1, 1, tzinfo=UTC)
    diff = record_diff(
        {"n": "n", "t": "t"}, {"n": Decimal("5.00"), "t": same}, {"n": Decimal("5"), "t": same.replace(microsecond=0)}
    )
    assert diff.changed == ()


def test_true_is_not_one():
    assert record_diff({"f": "f"}, {"f": True}, {"f": 1}).changed


def test_json_differs_by_key():
    field = field_diff(
        "p", "p", {"mail": True, "deep": {"a": 1, "b": 2}}, {"mail": True, "deep": {"a": 1, "b": 3}, "new": None}
    )
    assert [entry.path for entry in field.entries] == ["deep.b", "new"]


def test_lists_differ_by_place():
    field = field_diff("p", "p", ["a", "b"], ["a"])
    assert [(entry.path, entry.after.word) for entry in field.entries] == [("[1]", "not there")]


def test_words_are_marked_inside_long_text():
    field = field_diff("a", "a", "12 Harbour Street Bristol", "12 Harbour Street Flat 3 Bristol")
    assert [s.text.strip() for s in field.after.segments if s.marked] == ["Flat 3"]
    assert text(field.after) == "12 Harbour Street Flat 3 Bristol"


def test_long_values_are_capped_and_kept_whole():
    long = "x" * (LONG_TEXT + 500)
    shown = value(long)
    assert len(text(shown)) == LONG_TEXT
    assert text(shown) + shown.rest == long


def test_a_new_row_shows_what_it_was_given():
    diff = record_diff({"a": "a", "b": "b"}, {}, {"a": 1, "b": None})
    assert [field.name for field in diff.changed] == ["a"]
