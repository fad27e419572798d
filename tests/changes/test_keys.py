"""Keys that are no integers: text, uuid, several columns. The engine freezes, runs and undoes them alike."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from approvals.errors import RowsInAnotherTicket
from changes.errors import BadValue
from changes.models import FrozenRow, SkippedRow
from changes.planning import preview
from changes.selection import Selection
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from tests.journey import ask, carry_out, checksum, undo, work

TABLES = ("testapp_code", "testapp_label", "testapp_line")


def codes(odd: Any, *names: str, **columns: Any) -> list[Any]:
    return [odd.Code.objects.create(code=name, name=name, **columns) for name in names]


NASTY = ("a/b", "", "with space", "ünï 🦊", "'; DROP TABLE x; --", '["a"]', "null", "0", "%s", "a\\b", "x" * 40)


def test_text_keys_of_any_spelling_go_and_come_back(odd: Any, operator: Actor, chunks_of_two: None) -> None:
    codes(odd, *NASTY)
    before = checksum(*TABLES)
    change = ask(operator, "testapp.code", {"keys": list(NASTY)}).change
    assert change.rows_total == len(NASTY)
    assert work(change).applied == len(NASTY)
    assert odd.Code.objects.count() == 0
    back = undo(change, operator)
    assert (back.state, back.applied) == (State.DONE, len(NASTY))
    assert checksum(*TABLES) == before


def test_uuid_keys_by_condition_with_agreement(odd: Any, operator: Actor, approver: Actor, chunks_of_two: None) -> None:
    (root,) = codes(odd, "root")
    odd.Label.objects.bulk_create(odd.Label(code=root, text=str(n)) for n in range(7))
    before = checksum(*TABLES)
    outcome = ask(operator, "testapp.label", {"where": [{"field": "code", "value": "root"}]})
    assert outcome.ticket is not None
    done = carry_out(outcome, operator, approver)
    assert (done.applied, odd.Label.objects.count()) == (7, 0)
    assert undo(done, operator, approver).applied == 7
    assert checksum(*TABLES) == before


def test_keys_of_several_columns(odd: Any, operator: Actor, chunks_of_two: None) -> None:
    (one, two) = codes(odd, "1", "2")
    odd.Line.objects.bulk_create(odd.Line(code=code, number=n) for code in (one, two) for n in range(4))
    before = checksum(*TABLES)
    change = ask(operator, "testapp.line", {"keys": [["1", 0], ["1", 3], ["2", 2], ["9", 9]]}).change
    assert work(change).applied == 3
    assert set(odd.Line.deleted.values_list("code_id", "number")) == {("1", 0), ("1", 3), ("2", 2)}
    undo(change, operator)
    assert checksum(*TABLES) == before


def test_a_tree_goes_with_everything_below_it(odd: Any, operator: Actor, chunks_of_two: None) -> None:
    (root, other) = codes(odd, "root", "other")
    (left, _right) = codes(odd, "left", "right", parent=root)
    (leaf,) = codes(odd, "leaf", parent=left)
    odd.Label.objects.bulk_create([odd.Label(code=leaf), odd.Label(code=other, also=leaf), odd.Label(code=other)])
    odd.Line.objects.bulk_create(odd.Line(code=left, number=n) for n in range(3))
    before = checksum(*TABLES)
    change = ask(operator, "testapp.code", {"keys": ["root"]}).change
    planned = {(p.entity, p.effect): p.rows for p in change.parts.all()}
    assert planned == {
        ("testapp.code", "delete"): 4,
        ("testapp.label", "delete"): 1,
        ("testapp.line", "delete"): 3,
        ("testapp.label", "clear"): 1,
    }
    assert (change.rows_selected, change.rows_total) == (1, 9)
    assert work(change).applied == 9
    assert set(odd.Code.objects.values_list("code", flat=True)) == {"other"}
    assert odd.Label.objects.filter(also__isnull=False).count() == 0
    back = undo(change, operator)
    assert (back.applied, back.skipped) == (9, 0)
    assert checksum(*TABLES) == before


def test_the_key_report_counts_what_was_listed_not_what_goes_along(odd: Any, operator: Actor) -> None:
    (root,) = codes(odd, "root")
    codes(odd, "a", "b", parent=root)
    selection = Selection.parse({"keys": ["root", "nobody"]}, odd.Code)
    found = preview(operator, entity=odd.Code, operation="delete", selection=selection).plan.keys
    assert found is not None
    assert (found.given, found.found, found.unknown, found.unknown_sample) == (2, 1, 1, ("nobody",))


def test_a_restore_brings_back_what_went_along(odd: Any, operator: Actor) -> None:
    (root,) = codes(odd, "root")
    codes(odd, "a", "b", parent=root)
    odd.Line.objects.bulk_create(odd.Line(code=root, number=n) for n in range(3))
    before = checksum(*TABLES)
    work(ask(operator, "testapp.code", {"keys": ["root"]}).change)
    work(ask(operator, "testapp.code", {"keys": ["root"]}, operation="restore").change)
    assert checksum(*TABLES) == before


def test_a_row_that_moved_is_left_alone_and_named_by_its_key(odd: Any, operator: Actor, approver: Actor) -> None:
    (root,) = codes(odd, "root")
    odd.Line.objects.bulk_create(odd.Line(code=root, number=n) for n in range(501))
    outcome = ask(operator, "testapp.line", {"where": [{"field": "number", "op": "gte", "value": 0}]})
    odd.Line.objects.filter(number=7).update(text="still needed")
    done = carry_out(outcome, operator, approver)
    assert (done.applied, done.skipped) == (500, 1)
    assert SkippedRow.objects.get(change=done).key == ["root", "7"]


def test_positions_follow_the_key_order_without_a_gap(odd: Any, operator: Actor) -> None:
    codes(odd, *"cab")
    change = ask(operator, "testapp.code", {"keys": ["a", "b", "c"]}).change
    rows = FrozenRow.objects.filter(change_id=change.pk).order_by("position").values_list("position", "key")
    assert list(rows) == [(1, ["a"]), (2, ["b"]), (3, ["c"])]


@pytest.mark.parametrize(
    ("entity", "key"),
    [("Label", "no uuid"), ("Label", 5), ("Line", ["1"]), ("Line", ["1", "x"]), ("Line", "1/2"), ("Line", [["1"], 2])],
)
def test_keys_that_do_not_fit_are_refused(odd: Any, entity: str, key: Any) -> None:
    with pytest.raises(BadValue):
        Selection.parse({"keys": [key]}, getattr(odd, entity))


def test_a_uuid_may_come_as_text(odd: Any) -> None:
    key = uuid.uuid4()
    assert Selection.parse({"keys": [str(key), str(key).upper()]}, odd.Label).keys == (key,)


def test_snapshots_of_any_key_are_looked_at_and_compared(odd: Any, operator: Actor) -> None:
    from audit.snapshots import state
    from audit.snapshots.browsing import after, rows_at
    from audit.snapshots.comparing import Comparison
    from audit.snapshots.taking import take

    root, other = codes(odd, "b%s", "a")
    for number in range(4):
        odd.Line.objects.create(code=root, number=number, text="x")
    label = odd.Label.objects.create(code=root, text="x")
    shot = state.of_snapshot(take("odd", entities=[odd.Code, odd.Label, odd.Line], actor=operator, measured=True))
    odd.Line.objects.filter(code=root, number__in=(1, 3)).update(text="y")
    odd.Line.objects.create(code=other, number=9)
    odd.Label.objects.filter(pk=label.pk).update(is_deleted=True)
    odd.Code.objects.filter(pk="a").update(name="c")

    def found(model: Any) -> list[Any]:
        comparison = Comparison(model=model, a=shot, b=state.NOW, tenant_id=1)
        first = comparison.page(limit=1)
        rest = comparison.page(limit=9, after=first[-1].key)
        assert comparison.totals().rows == len(first + rest)
        return [(d.key, d.kind) for d in first + rest]

    assert found(odd.Line) == [(("a", 9), "only_b"), (("b%s", 1), "changed"), (("b%s", 3), "changed")]
    assert found(odd.Label) == [((label.pk,), "only_a")]
    assert found(odd.Code) == [(("a",), "changed")]
    lines = rows_at(odd.Line, shot, tenant_id=1)
    assert [row.number for row in lines] == [0, 1, 2, 3]
    assert [row.text for row in lines.filter(after(odd.Line, ("b%s", 1)))] == ["x", "x"]


def test_two_open_tickets_on_one_key_are_told_apart_by_keys_not_places(
    odd: Any, operator: Actor, engineer: Actor
) -> None:
    """The first place in the order of one selection is not the first of another."""
    with acting(operator):
        code = odd.Code.objects.create(code="root", name="root")
        labels = odd.Label.objects.bulk_create(odd.Label(code=code, text=str(n)) for n in range(21))
    wanted = [[str(label.pk) for label in labels[a:b]] for a, b in ((0, 7), (7, 14), (6, 21))]
    first = ask(operator, "testapp.label", {"keys": wanted[0]})
    assert ask(engineer, "testapp.label", {"keys": wanted[1]}).ticket is not None
    with pytest.raises(RowsInAnotherTicket, match=str(first.ticket)):
        ask(engineer, "testapp.label", {"keys": wanted[2][:1] + wanted[2][8:]})
