"""The shipped rule: how many other persons must agree. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from changes.plan import over_threshold

TWO_PERSONS_ABOVE = 10_000
TICKET_LIFE = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Requirement:
    """Approvals needed, and the tables whose threshold asked for them: (entity, rows, threshold)."""

    approvals: int
    over: tuple[tuple[str, int, int], ...] = ()


def requirement(parts: Iterable[tuple[str, int, int]], *, least: int = 0) -> Requirement:
    """Of (entity, rows, threshold) per part, cascades included: one other person above any threshold, tables under
    the same one counted together, two above 10,000 rows in all, and never fewer than the change asks for itself.
    """
    known = tuple(parts)
    over = over_threshold(known)
    if not over:
        return Requirement(least)
    total = sum(rows for _, rows, _ in known)
    return Requirement(max(least, 2 if total > TWO_PERSONS_ABOVE else 1), over)
