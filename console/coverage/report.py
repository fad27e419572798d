"""All kinds together, as a table for people or as values for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from console.coverage import actions, routes, tables, tasks, views
from console.coverage.findings import Finding, Standing

Report = dict[str, list[Finding]]

KINDS: dict[str, Callable[[], Iterable[Finding]]] = {
    "models": tables.findings,
    "views": views.findings,
    "admin actions": actions.findings,
    "tasks": tasks.findings,
    "API routes": routes.findings,
}


def report() -> Report:
    """Findings per kind, by name."""
    return {kind: sorted(look()) for kind, look in KINDS.items()}


def counts(found: Iterable[Finding]) -> dict[str, int]:
    """How many stand how."""
    counted = Counter(str(one.standing) for one in found)
    return {str(standing): counted[standing] for standing in Standing}


def as_json(whole: Report) -> dict[str, Any]:
    return {kind: {"counts": counts(found), "found": [one.as_json() for one in found]} for kind, found in whole.items()}


def summary(whole: Report) -> list[str]:
    """A line of counts per kind."""
    return [_summary(kind, found) for kind, found in whole.items()]


def lines(whole: Report, *, everything: bool) -> Iterator[str]:
    """A table per kind: what is forgotten first, then what is open; what is governed only where asked for."""
    for kind, found in whole.items():
        yield _summary(kind, found)
        for standing in (Standing.UNGOVERNED, Standing.OPEN, *([Standing.GOVERNED] if everything else [])):
            yield from _rows([one for one in found if one.standing is standing])
        yield ""


def _summary(kind: str, found: list[Finding]) -> str:
    return f"{kind}: " + ", ".join(f"{number} {standing}" for standing, number in counts(found).items())


def _rows(found: list[Finding]) -> Iterator[str]:
    width = min(max((len(one.name) for one in found), default=0), 60)
    for one in found:
        yield f"  {one.standing:14}{one.name:{width}}  {one.why}"
