"""How large the next chunk is and how long its worker rests: neighbours first, then the pace that people set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from access.enforcement import enforce
from changes import record
from changes.errors import BadPace, WrongState
from changes.models import Change, Lane
from changes.moving import get
from changes.states import State
from foundation.actor import Actor
from foundation.postgres.transactions import durable

# Row locks of a chunk are held about this long, so that nobody waits for one much longer.
TARGET_S = 0.08
FIRST_ROWS = 1_000
# A single slow chunk says little about small ones: time alone never makes them smaller than this.
LEAST_ROWS = 100
GROWTH = 4
CHUNK_MOST, RATE_MOST = 100_000, 10_000_000
TUNABLE = (State.FROZEN, State.WAITING, State.CLEARED, State.RUNNING, State.PAUSED, State.FAILED)


@dataclass(frozen=True, slots=True)
class Pace:
    """What people set for one change, and how many workers share it. None is the usual: no own limit."""

    chunk_rows: int | None = None
    rows_per_second: int | None = None
    workers: int = 1

    @property
    def cap(self) -> int:
        """Most rows of a chunk; at a given rate a chunk is about a second's worth of one worker."""
        cap: int = self.chunk_rows or settings.CUSTODY_CHUNK_ROWS
        if self.rows_per_second:
            cap = min(cap, max(1, self.rows_per_second // max(1, self.workers)))
        return cap

    def rest_s(self, rows: int) -> float:
        """How long a worker rests after that many rows."""
        return rows / self.rows_per_second * max(1, self.workers) if self.rows_per_second else 0.0


def limit_of(lane: Lane, pace: Pace) -> int:
    """Rows of the lane's next chunk."""
    return min(lane.limit or FIRST_ROWS, pace.cap)


def next_limit(limit: int, rows: int, held_s: float) -> int:
    """What the lane should try next, after `rows` of at most `limit` held their locks for `held_s` seconds."""
    in_time = max(LEAST_ROWS, int(rows * TARGET_S / held_s)) if held_s > 0 else limit * GROWTH
    if rows < limit and in_time >= rows:
        return limit  # the end of a range: too few rows to judge by
    return max(1, min(limit * GROWTH, in_time, CHUNK_MOST))


def tune(change_id: int, *, actor: Actor, chunk_rows: int | None, rows_per_second: int | None) -> Change:
    """Set the pace of a change that has not ended; its next chunk follows it. None is the usual pace.

    Raises WrongState, BadPace.
    """
    change = get(change_id)
    enforce(actor, "change.tune", f"C-{change.pk}")
    _bounds("chunk_rows", chunk_rows, CHUNK_MOST)
    _bounds("rows_per_second", rows_per_second, RATE_MOST)
    with durable():
        before: dict[str, Any] = {"chunk_rows": change.chunk_rows, "rows_per_second": change.rows_per_second}
        now: dict[str, Any] = {"chunk_rows": chunk_rows, "rows_per_second": rows_per_second}
        if not Change.objects.filter(pk=change.pk, state__in=TUNABLE).update(**now):
            change.refresh_from_db()
            needed = ", ".join(str(state.label) for state in TUNABLE)
            raise WrongState(change_id=change.pk, state=change.get_state_display(), needed=needed)
        change.refresh_from_db()
        record.note(change, "change.tuned", **now, before=before)
    return change


def _bounds(name: str, value: int | None, most: int) -> None:
    if value is not None and not (isinstance(value, int) and 1 <= value <= most):
        raise BadPace(field=name, value=str(value)[:40], least=1, most=most)
