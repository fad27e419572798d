"""An undo in words: classes, outcomes, approval."""

from __future__ import annotations

import pytest

from changes.conflicts import RULES
from changes.undoing import Conflict, PreviewPart, Tally, UndoPreview
from console.presenters.undo import UndoWords, undo_words


def preview(rows: int, *tallies: Tally, lost: tuple[tuple[str, str], ...] = ()) -> UndoPreview:
    return UndoPreview(
        rows=rows,
        parts=(PreviewPart("shop.order", "revert", rows, sum(t.rows for t in tallies)),),
        conflicts=sum(t.rows for t in tallies),
        tallies=tallies,
        sample=tuple(Conflict(t.entity, "7", t.reason, "") for t in tallies),
        lost=lost,
    )


def words(found: UndoPreview, by_rule: UndoPreview | None = None, approvals: int = 0, **rules: str) -> UndoWords:
    return undo_words(
        found,
        by_rule or found,
        rules=rules,
        known=RULES,
        approvals=approvals,
        stopping=(),
        label=lambda label: label.partition(".")[2] + "s",
        table=str,
        url=lambda label, key: f"/{label}/{key}/",
    )


CHANGED = Tally("shop.order", "changed_since", 3)


def test_several_tables_are_named_with_their_numbers():
    said = words(preview(1, CHANGED, Tally("shop.item", "changed_since", 1200)))
    assert said.classes[0].count == "1,203"
    assert said.classes[0].tables == "3 orders, 1,200 items"
    assert said.classes[0].rest == "and 1,201 more"


@pytest.mark.parametrize(
    ("rule", "left", "outcome"),
    [
        ("skip", 3, "3 rows stay as they are."),
        ("force", 0, "3 rows come back all the same."),
        ("keep_theirs", 0, "3 rows come back, except for the fields that somebody changed."),
        (
            "keep_theirs",
            1,
            "2 rows come back, except for the fields that somebody changed; of 1 every field was changed",
        ),
        ("abort", 3, "Nothing is undone while these rows are in conflict."),
    ],
)
def test_each_rule_says_what_becomes_of_the_rows(rule, left, outcome):
    rest = (Tally("shop.order", "changed_since", left),) if left else ()
    said = words(preview(1, CHANGED), preview(4 - left, *rest), changed_since=rule)
    assert said.classes[0].outcome.startswith(outcome)


def test_a_column_that_is_gone_is_a_class_of_its_own_and_is_named():
    said = words(preview(2, lost=(("shop.order", "colour"),)))
    assert [(one.name, one.count) for one in said.classes] == [("column_gone", "1")]
    assert said.lost == ("Orders: colour",)


def test_who_has_to_approve_is_said_with_the_reason():
    assert words(preview(1)).approval.startswith("Few enough rows")
    assert words(preview(1), approvals=2).approval == "2 other persons have to approve it first."
    assert words(preview(1), approvals=1, changed_since="force").approval.startswith("It overwrites newer work")


def test_an_undo_of_nothing_is_known_as_such():
    assert words(preview(0, CHANGED)).nothing
