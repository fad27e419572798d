"""Figures are medians of the rounds' own ratios; one that cannot be measured stops no other and is not passed off as old."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import bench.__main__ as program
from bench.measuring import Figure, at_least, at_most, paired, reported, table, take_turns


def test_the_ratio_is_that_of_each_round_so_a_slow_round_counts_for_nobody() -> None:
    sides = {"ours": (1.0, 10.0, 2.2), "theirs": (1.0, 10.0, 2.0)}
    figure = at_most("key", 1.05, "ours", "theirs", sides)
    assert (figure.value, figure.met) == (1.0, True)
    assert "1.000 to 1.100" in figure.note


def test_rounds_that_do_not_pair_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired((1.0, 2.0), (1.0,))


def test_times_faster_is_theirs_by_ours() -> None:
    figure = at_least("key", 40, "ours", "theirs", {"ours": (1.0,), "theirs": (50.0,)})
    assert (figure.value, figure.met) == (50.0, True)


def test_sides_take_turns_and_every_second_round_goes_backwards() -> None:
    order: list[str] = []

    def side(name: str) -> float:
        order.append(name)
        return 1.0

    take_turns({"a": lambda: side("a"), "b": lambda: side("b")}, rounds=2)
    assert order == ["a", "b", "b", "a"]


def test_a_figure_without_a_goal_is_neither_met_nor_missed() -> None:
    line = table([reported("parallel_speedup", 1.6, {"1 lanes": (1.6,), "2 lanes": (1.0,)})]).splitlines()[0]
    assert "reported" in line
    assert "met" not in line


class Nothing:
    """A stage for measures that need none."""

    def owner(self) -> Any:
        raise AssertionError


def test_an_error_stops_no_other_figure_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> list[Figure]:
        raise RuntimeError("no figure")

    def fine(_: object) -> list[Figure]:
        return [reported("hot_share", 1.0, {"updates": (1.0,)})]

    measures = [(frozenset({"guard_overhead"}), broken), (frozenset({"hot_share"}), fine)]
    monkeypatch.setattr(program, "measures", lambda *_: measures)
    monkeypatch.setattr(program, "prepared", lambda *_: None)
    wanted = frozenset({"guard_overhead", "hot_share"})
    figures, failed = program.measure(Nothing(), wanted, 1.0, 1)  # type: ignore[arg-type]
    assert [figure.key for figure in figures] == ["hot_share"]
    assert failed == ["guard_overhead"]


def test_the_file_is_flat_keeps_other_keys_and_drops_what_could_not_be_measured(tmp_path: Path) -> None:
    latest = tmp_path / "bench" / "latest.json"
    latest.parent.mkdir()
    latest.write_text(json.dumps({"undo_vs_delete": 1.1, "guard_overhead": 1.02, "of another time": 3}))
    program.write(latest, [reported("hot_share", 0.99951, {"updates": (1.0,)})], ["guard_overhead"])
    assert json.loads(latest.read_text()) == {"undo_vs_delete": 1.1, "hot_share": 1.0}
