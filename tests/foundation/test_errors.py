"""Errors carry facts, and their docstring is the user's sentence."""

from __future__ import annotations

import importlib
import importlib.util

import pytest
from django.utils import translation

from foundation import errors

APPS = ("foundation", "audit", "access", "changes", "approvals")


def _every_error() -> list[type[errors.CustodyError]]:
    for app in APPS:
        if importlib.util.find_spec(f"{app}.errors"):
            importlib.import_module(f"{app}.errors")
    found: list[type[errors.CustodyError]] = []
    waiting = [errors.CustodyError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return found


class TooLarge(errors.Invalid):
    """%(rows)s rows are too many
    for %(entity)s.

    More words for developers.
    """

    code = "too_large_test"


def test_the_sentence_is_the_first_paragraph_with_its_facts() -> None:
    assert str(TooLarge(rows=12, entity="orders")) == "12 rows are too many for orders."


def test_a_missing_fact_does_not_hide_the_error() -> None:
    assert str(TooLarge(rows=12)) == "12 rows are too many for <entity>."


def test_facts_and_code_are_data() -> None:
    error = TooLarge(rows=12, entity="orders")
    assert (error.code, error.facts) == ("too_large_test", {"rows": 12, "entity": "orders"})
    assert error.args == ("too_large_test", {"rows": 12, "entity": "orders"})


def test_families_tell_kinds_apart() -> None:
    kinds = (errors.Denied, errors.Invalid, errors.Conflict, errors.NotFound, errors.Unavailable)
    assert all(issubclass(kind, errors.CustodyError) for kind in kinds)
    with pytest.raises(errors.Invalid):
        raise TooLarge(rows=1, entity="x")


def test_every_code_belongs_to_one_error() -> None:
    codes = [kind.code for kind in _every_error()]
    assert sorted(codes) == sorted(set(codes))


def test_every_error_has_a_sentence_of_its_own() -> None:
    for kind in _every_error():
        assert "__doc__" in vars(kind), kind
        assert kind.__doc__, kind


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_sentence_can_be_said_in_every_language(language: str) -> None:
    with translation.override(language):
        for kind in _every_error():
            assert str(kind()), kind
