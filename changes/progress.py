"""Progress of a run, as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from changes.models import Change, Lane
from changes.states import ACTIVE

RECENT_S = 120
# The latest chunks are enough: a poll must not read the events of a run of a hundred million rows.
RECENT = """
SELECT sum(e.affected_rows), extract(epoch FROM clock_timestamp() - greatest(min(e.occurred_at), %(since)s::timestamptz))
  FROM (SELECT affected_rows, occurred_at FROM audit_event
         WHERE change_id = %(change)s AND operation = '~' ORDER BY id DESC LIMIT 500) e
 WHERE e.occurred_at > greatest(clock_timestamp() - make_interval(secs => %(minutes)s), %(since)s::timestamptz)
"""


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
class Waiting:
    """A signal a run waits for, in the signal's own unit; row locks have no value."""

    signal: str
    value: float | None
    limit: float | None
    since: datetime


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
    waiting: tuple[Waiting, ...] = ()

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
    """Read a run's progress from its lanes and latest events: three queries."""
    sums: dict[int, list[int]] = {}
    chunks, error = 0, change.error
    lanes = list(Lane.objects.filter(change_id=change.pk))
    for lane in lanes:
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
    active = change.state in ACTIVE
    rate = _rate(change) if active else _whole_rate(change, applied + skipped)
    left = change.rows_total - applied - skipped
    eta = left / rate if rate and active else None
    waiting = _waits(lanes) if active else ()
    return Progress(change.rows_total, applied, skipped, chunks, rate, eta, parts, error, waiting)


def _rate(change: Change) -> float | None:
    """Rows per second over the last two minutes of work; of a change that has ended, over its whole time.

    What it waited for in these minutes counts, a pause before them does not.
    """
    if change.started_at is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            RECENT, {"change": change.pk, "minutes": RECENT_S, "since": change.resumed_at or change.started_at}
        )
        rows, seconds = cursor.fetchone()
    return float(rows) / float(seconds) if rows and seconds and seconds > 0 else None


def _whole_rate(change: Change, done: int) -> float | None:
    if change.started_at is None or change.finished_at is None or not done:
        return None
    seconds = (change.finished_at - change.started_at).total_seconds()
    return done / seconds if seconds > 0 else None


def _waits(lanes: list[Lane]) -> tuple[Waiting, ...]:
    """What lanes wait for, the longest wait of each."""
    since: dict[str, Waiting] = {}
    for lane in lanes:
        if lane.waiting and lane.waiting_since and lane.state == Lane.State.OPEN:
            one = Waiting(
                lane.waiting["signal"], lane.waiting.get("value"), lane.waiting.get("limit"), lane.waiting_since
            )
            before = since.get(one.signal)
            since[one.signal] = one if before is None or one.since < before.since else before
    return tuple(sorted(since.values(), key=lambda one: one.since))
