"""Taking turns: every side once per round, and the median of the rounds' own ratios, so that a load that comes and goes
meets both sides of a ratio alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Side = Callable[[], float]
Sides = Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the report."""

    key: str
    value: float
    goal: str
    met: bool
    sides: Sides
    note: str = ""
    judged: bool = True


def take_turns(sides: Mapping[str, Side], *, rounds: int) -> dict[str, tuple[float, ...]]:
    """Seconds per side and round. Every second round goes through the sides backwards."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        order = list(sides) if number % 2 == 0 else list(reversed(sides))
        for name in order:
            seconds[name].append(sides[name]())
            print(f"    round {number + 1}: {name} {seconds[name][-1]:.2f} s", flush=True)
    return {name: tuple(values) for name, values in seconds.items()}


def paired(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    """The ratio of each round."""
    return tuple(a / b for a, b in zip(ours, theirs, strict=True))


def at_most(key: str, limit: float, ours: str, theirs: str, sides: Sides, note: str = "") -> Figure:
    """Ours divided by theirs, to be at most `limit`: the median of the rounds' ratios."""
    ratios = paired(sides[ours], sides[theirs])
    value = statistics.median(ratios)
    return Figure(
        key=key, value=value, goal=f"≤ {limit:g}", met=value <= limit, sides=sides, note=_spread(ratios, note)
    )


def at_least(key: str, limit: float, ours: str, theirs: str, sides: Sides, note: str = "") -> Figure:
    """Theirs divided by ours, to be at least `limit` times."""
    ratios = paired(sides[theirs], sides[ours])
    value = statistics.median(ratios)
    goal, met = f"≥ {limit:g} times", value >= limit
    return Figure(key=key, value=value, goal=goal, met=met, sides=sides, note=_spread(ratios, note))


def reported(key: str, value: float, sides: Sides, note: str = "") -> Figure:
    """A figure without a goal."""
    return Figure(key=key, value=value, goal="reported", met=True, sides=sides, note=note, judged=False)


def table(figures: list[Figure]) -> str:
    """The report as text."""
    lines = []
    for figure in figures:
        mark = "-     " if not figure.judged else "met   " if figure.met else "MISSED"
        lines.append(f"{figure.key:32} {figure.value:9.3f}   goal {figure.goal:12} {mark}  {figure.note}".rstrip())
        for name, values in figure.sides.items():
            spread = f"[{min(values):.4g} .. {max(values):.4g}]"
            lines.append(f"    {name:40} median {statistics.median(values):9.4g}  {spread}, {len(values)} rounds")
    return "\n".join(lines)


def _spread(ratios: tuple[float, ...], note: str) -> str:
    return f"{note}; ratios {min(ratios):.3f} to {max(ratios):.3f}".removeprefix("; ")
