"""The frozen baseline: what is known not to be governed, each with the reason a person gave.

It is compared both ways. What is new fails, and so does an entry for something that is governed by now or gone:
a list that only grows hides the next gap.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from console.coverage.errors import BadBaseline
from console.coverage.findings import Standing
from console.coverage.report import KINDS, Report

Baseline = dict[str, dict[str, str]]

UNFILLED = "fill in why"


def read(path: Path) -> Baseline:
    """The baseline's reasons by kind and name; a missing file is an empty one. Raises BadBaseline."""
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadBaseline(file=path.name, fault=str(error)) from error
    if not isinstance(found, dict) or not all(isinstance(entries, dict) for entries in found.values()):
        raise BadBaseline(file=path.name, fault="write {kind: {name: reason}}")
    if unknown := sorted(found.keys() - KINDS.keys()):
        raise BadBaseline(file=path.name, fault=f"unknown kind {unknown[0]!r}; known: {', '.join(KINDS)}")
    return {kind: {str(name): str(reason) for name, reason in entries.items()} for kind, entries in found.items()}


def freeze(whole: Report, known: Baseline) -> Baseline:
    """What is not governed now, with the reasons that were given before."""
    return {
        kind: {name: known.get(kind, {}).get(name, UNFILLED) for name in sorted(_ungoverned(whole, kind))}
        for kind in KINDS
        if _ungoverned(whole, kind)
    }


def write(path: Path, baseline: Baseline) -> None:
    """Sorted, one entry a line."""
    path.write_text(json.dumps(baseline, indent=2, ensure_ascii=False) + "\n")


def faults(whole: Report, known: Baseline) -> Iterator[str]:
    """What is in the way of a pass, a sentence each."""
    for kind in KINDS:
        entries, found = known.get(kind, {}), _ungoverned(whole, kind)
        for name in sorted(found.keys() - entries.keys()):
            yield f"{kind}: {name} is not governed: {found[name]}"
        for name in sorted(entries.keys() - found.keys()):
            yield f"{kind}: {name} is in the baseline, but it is governed now or gone: take the entry out"
        for name in sorted(entries.keys() & found.keys()):
            if entries[name].strip() in ("", UNFILLED):
                yield f"{kind}: {name} is in the baseline without a reason: write why"


def _ungoverned(whole: Report, kind: str) -> dict[str, str]:
    return {one.name: one.why for one in whole.get(kind, ()) if one.standing is Standing.UNGOVERNED}
