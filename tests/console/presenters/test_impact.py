"""The impact table's lines and sums."""

from __future__ import annotations

from console.presenters.impact import Part, bar, impact


def part(effect: str, rows: int, depth: int = 1, name: str = "orders") -> Part:
    return Part(name=name, table="shop_order", effect=effect, depth=depth, rows=rows)


def test_the_total_counts_everything_but_what_stops_the_change():
    shown = impact(
        [part("delete", 1204, 0), part("delete", 8331), part("clear", 277), part("block", 12)], operation="delete"
    )
    assert shown.total == "9,812"
    assert [row.kind for row in shown.rows] == ["selected", "delete", "clear", "block"]


def test_only_the_first_line_is_the_selection():
    shown = impact([part("delete", 5, 0), part("delete", 5, 0)], operation="delete")
    assert [row.kind for row in shown.rows] == ["selected", "delete"]


def test_rows_that_come_back_are_not_called_selected():
    shown = impact([part("revert", 5, 0)], operation="undo")
    assert shown.rows[0].pill.text == "put back"
    assert shown.title == "What will be brought back"


def test_bars_use_a_square_root_scale():
    assert bar(0, 100) == "0"
    assert bar(25, 100) == "50.0"
    assert bar(100, 100) == "100.0"
    assert bar(1, 10_000_000) == "1.0", "one row beside ten million can still be seen"


def test_a_plan_without_rows_has_a_total_of_zero():
    assert impact([], operation="delete").total == "0"


def test_conflicts_are_named_on_their_line():
    one = Part(name="orders", table="t", effect="revert", depth=0, rows=9, conflicts=2)
    assert impact([one], operation="undo").rows[0].note == "2 rows in conflict"


def test_every_effect_has_words_of_its_own():
    from changes.states import Effect

    for effect in Effect.values:
        pill = impact([part(effect, 5, 0)], operation="undo").rows[0].pill
        assert pill.text not in (effect, ""), effect


def test_what_an_undo_archives_had_been_added():
    assert [row.kind for row in impact([part("delete", 5, 0)], operation="undo").rows] == ["archive"]
