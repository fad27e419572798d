"""Progress of a run, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from changes.models import Change, Lane
from changes.states import ACTIVE


@dataclass(frozen=True, slots=True)
class PartProgress:
    part: int
    entity: str
    effect: str
    rows: int
    applied: int
    skipped: int

    @property
    def done(self) -> int:
        return self.applied + self.skipped

    @property
    def complete(self) -> bool:
        return self.done >= self.rows


@dataclass(frozen=True, slots=True)
class Progress:
    """Rows in all, rows done, per part in the order they are worked off; rate in rows per second."""

    total: int
    applied: int
    skipped: int
    chunks: int
    rate: float | None
    eta_s: float | None
    parts: tuple[PartProgress, ...]
    error: str

    @property
    def done(self) -> int:
        return self.applied + self.skipped

    @property
    def percent(self) -> int:
        """Whole percent, 100 only when everything is done."""
        if self.total == 0:
            return 100
        return min(self.done * 100 // self.total, 100 if self.done >= self.total else 99)


def progress(change: Change) -> Progress:
    """Read a run's progress from its lanes: two queries."""
    sums: dict[int, list[int]] = {}
    chunks, error = 0, change.error
    for lane in Lane.objects.filter(change_id=change.pk):
        part = sums.setdefault(lane.part, [0, 0])
        part[0] += lane.applied
        part[1] += lane.skipped
        chunks += lane.chunks
        error = error or lane.error
    parts = tuple(
        PartProgress(p.part, p.entity, p.effect, p.rows, *sums.get(p.part, (0, 0)))
        for p in change.parts.order_by("step", "part")
    )
    applied, skipped = sum(p.applied for p in parts), sum(p.skipped for p in parts)
    rate = _rate(change, applied + skipped)
    left = change.rows_total - applied - skipped
    eta = left / rate if rate and change.state in ACTIVE else None
    return Progress(change.rows_total, applied, skipped, chunks, rate, eta, parts, error)


def _rate(change: Change, done: int) -> float | None:
    if change.started_at is None or not done:
        return None
    seconds = ((change.finished_at or timezone.now()) - change.started_at).total_seconds()
    return done / seconds if seconds > 0 else None
