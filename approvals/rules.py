"""The shipped rule: how many other persons must agree. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

TWO_PERSONS_ABOVE = 10_000
TICKET_LIFE = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Requirement:
    """Approvals needed, and the tables whose threshold asked for them: (entity, rows, threshold)."""

    approvals: int
    over: tuple[tuple[str, int, int], ...] = ()


def requirement(parts: Iterable[tuple[str, int, int]]) -> Requirement:
    """Of (entity, rows, threshold) per part, cascades included: one other person above any threshold, two
    above 10,000 rows in all.
    """
    known = tuple(parts)
    over = tuple(part for part in known if part[1] > part[2])
    if not over:
        return Requirement(0)
    total = sum(rows for _, rows, _ in known)
    return Requirement(2 if total > TWO_PERSONS_ABOVE else 1, over)
