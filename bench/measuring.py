"""Taking turns: every side once per round, medians over the rounds, the ratio of two of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Side = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the report."""

    key: str
    value: float
    goal: str
    met: bool
    sides: Mapping[str, tuple[float, ...]]
    note: str = ""


def take_turns(sides: Mapping[str, Side], *, rounds: int) -> dict[str, tuple[float, ...]]:
    """Seconds per side and round. Every second round goes through the sides backwards."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        order = list(sides) if number % 2 == 0 else list(reversed(sides))
        for name in order:
            seconds[name].append(sides[name]())
            print(f"    round {number + 1}: {name} {seconds[name][-1]:.2f} s", flush=True)
    return {name: tuple(values) for name, values in seconds.items()}


def at_most(
    key: str, limit: float, ours: str, theirs: str, sides: Mapping[str, tuple[float, ...]], note: str = ""
) -> Figure:
    """Ours divided by theirs, to be at most `limit`."""
    value = statistics.median(sides[ours]) / statistics.median(sides[theirs])
    return Figure(key=key, value=value, goal=f"≤ {limit:g}", met=value <= limit, sides=sides, note=note)


def at_least(
    key: str, limit: float, ours: str, theirs: str, sides: Mapping[str, tuple[float, ...]], note: str = ""
) -> Figure:
    """Theirs divided by ours, to be at least `limit` times."""
    value = statistics.median(sides[theirs]) / statistics.median(sides[ours])
    return Figure(key=key, value=value, goal=f"≥ {limit:g} times", met=value >= limit, sides=sides, note=note)


def table(figures: list[Figure]) -> str:
    """The report as text."""
    lines = []
    for figure in figures:
        mark = "met   " if figure.met else "MISSED"
        lines.append(f"{figure.key:32} {figure.value:9.3f}   goal {figure.goal:12} {mark}  {figure.note}".rstrip())
        for name, values in figure.sides.items():
            spread = f"[{min(values):.4g} .. {max(values):.4g}]"
            lines.append(f"    {name:40} median {statistics.median(values):9.4g}  {spread}, {len(values)} rounds")
    return "\n".join(lines)
