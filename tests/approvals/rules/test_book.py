"""Rules as they are written: read with errors that name the place, ordered, conflicts refused. Pure."""

from __future__ import annotations

from typing import Any

import pytest

from approvals.errors import BadRule, RulesConflict
from approvals.rules import book

THRESHOLDS = {"shop.order": 10, "shop.usertag": 500}
ONE = [{"group": "approver", "need": 1}]
TWO = [{"group": "approver", "need": 2}]


def read(*rules: Any) -> list[str]:
    found = book.read(
        list(rules), entities=THRESHOLDS, groups=("approver", "security"), threshold=THRESHOLDS.__getitem__
    )
    return [rule.name for rule in found]


def test_what_is_written_is_read_again_the_same() -> None:
    rule = {
        "name": "Big",
        "entities": ["shop.order"],
        "operations": ["delete", "purge"],
        "environments": ["production"],
        "rows_over": "threshold",
        "rows_up_to": 5_000,
        "total_over": 100,
        "risk": "medium",
        "sensitive": True,
        "stages": [{"group": "security", "need": 1}, {"group": "approver", "need": 2}],
        "ordered": False,
        "start": "window",
        "hours": 24,
    }
    (once,) = book.read([rule], entities=THRESHOLDS, groups=("approver", "security"), threshold=THRESHOLDS.__getitem__)
    assert once.as_json() == rule


def test_of_two_rules_the_one_that_lies_inside_the_other_comes_first() -> None:
    wide, narrow = {"name": "all", "stages": []}, {"name": "orders", "entities": ["shop.order"], "stages": ONE}
    narrowest = {"name": "many orders", "entities": ["shop.order"], "rows_over": 100, "stages": TWO}
    assert read(wide, narrow, narrowest) == ["many orders", "orders", "all"]
    assert read(narrowest, wide, narrow) == ["many orders", "orders", "all"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"entities": ["shop.order"]}, {"operations": ["delete"]}),
        ({"rows_over": 5}, {"total_over": 100}),
        ({"risk": "high"}, {"environments": ["production"]}),
        ({"sensitive": True}, {"rows_over": 20}),
        ({"rows_over": 10, "rows_up_to": 100}, {"rows_over": 50}),
        ({}, {}),
        ({"rows_over": "threshold"}, {"rows_over": 50}),
    ],
)
def test_rules_that_overlap_without_one_inside_the_other_are_refused(one: Any, other: Any) -> None:
    with pytest.raises(RulesConflict) as caught:
        read({"name": "one", "stages": ONE} | one, {"name": "other", "stages": TWO} | other)
    assert {caught.value.facts["first"], caught.value.facts["second"]} == {"one", "other"}


def test_rules_that_ask_for_the_same_may_overlap() -> None:
    assert len(read({"name": "a", "stages": ONE, "risk": "high"}, {"name": "b", "stages": ONE, "rows_over": 7})) == 2


def test_rules_beside_each_other_do_not_conflict() -> None:
    low, high = {"name": "few", "rows_up_to": 50, "stages": []}, {"name": "many", "rows_over": 50, "stages": ONE}
    assert sorted(read(low, high)) == ["few", "many"]


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ("text", "rules.0"),
        ({"stages": []}, "rules.0.name"),
        ({"name": "x" * 81, "stages": []}, "rules.0.name"),
        ({"name": "x"}, "rules.0.stages"),
        ({"name": "x", "stages": [{"group": "nobody"}]}, "rules.0.stages.0.group"),
        ({"name": "x", "stages": [{"group": "approver", "need": 0}]}, "rules.0.stages.0.need"),
        ({"name": "x", "stages": [{"group": "approver", "need": True}]}, "rules.0.stages.0.need"),
        ({"name": "x", "stages": ONE + ONE}, "rules.0.stages.1.group"),
        ({"name": "x", "stages": [], "entities": ["shop.nothing"]}, "rules.0.entities"),
        ({"name": "x", "stages": [], "operations": ["drop"]}, "rules.0.operations"),
        ({"name": "x", "stages": [], "rows_over": -1}, "rules.0.rows_over"),
        ({"name": "x", "stages": [], "rows_over": 5, "rows_up_to": 5}, "rules.0.rows_up_to"),
        ({"name": "x", "stages": [], "risk": "awful"}, "rules.0.risk"),
        ({"name": "x", "stages": [], "hours": 0}, "rules.0.hours"),
        ({"name": "x", "stages": [], "start": "at once"}, "rules.0.start"),
        ({"name": "x", "stages": [], "approve": "all"}, "rules.0.approve"),
    ],
)
def test_what_cannot_be_read_is_named(rule: Any, field: str) -> None:
    with pytest.raises(BadRule) as caught:
        read(rule)
    assert caught.value.facts["field"] == field


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(BadRule, match=r"rules\.1\.name"):
        read({"name": "x", "stages": []}, {"name": "x", "stages": []})
