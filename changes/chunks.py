"""A chunk: one transaction in which rows, history, cursor and counts commit together.

Neighbours come first. A chunk waits for row locks for less than the server takes to look for a deadlock, so that of
two programs that wait for each other it is always ours that gives way; it waits again for as long as it takes, within
`CUSTODY_LOCK_PATIENCE`. How many rows it takes follows from how long the last one held its locks.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from audit.errors import ArchiveDiffers, ArchiveFull
from changes import applying, archiving, lanes, pacing, schema, throttling, windows
from changes.errors import CaptureMismatch, ConflictsFound
from changes.lanes import Claim
from changes.models import Change, FrozenRow, Lane, SkippedRow
from changes.moving import hold
from changes.states import Canary, Held, SkipReason, State
from foundation.postgres.transactions import durable

ATTEMPTS = 8
# What another try does not mend: a person has to.
FOR_GOOD = (ConflictsFound, ArchiveFull)
# SQLSTATE classes that blame a row: no data, bad data, broken constraints, exceptions of triggers.
OF_A_ROW = ("09", "20", "21", "22", "23", "27", "38", "39", "44", "P0")
# Somebody else is in the way: lock not available, cancelled by a timeout, deadlock, serialization failure.
OF_A_NEIGHBOUR = ("55P03", "57014", "40P01", "40001")
# A worker that meets the same neighbour for longer than this works on something else meanwhile.
KEEP_TRYING_S = 5.0
# The lane's lock is the lease: it ends with the connection, or after ten idle seconds inside a transaction.
GUARDS = (
    f"SELECT set_config('lock_timeout', ceil({applying.PATIENCE} * {applying.FOR_ROWS})::text, true), "
    "set_config('statement_timeout', '60s', true), set_config('idle_in_transaction_session_timeout', '10s', true)"
)
STANDING = """
SELECT c.state, c.canary, c.chunk_rows, c.rows_per_second, c.schema_seen::text, clock_timestamp(),
       CASE WHEN c.rows_per_second IS NULL THEN 1 ELSE (
         SELECT count(*) FROM changes_lane l
          WHERE l.tenant_id = c.tenant_id AND l.change_id = c.id AND l.state = 'open' AND l.worker <> '') END
  FROM changes_change c WHERE c.tenant_id = %s AND c.id = %s FOR SHARE OF c
"""


class LaneLost(Exception):
    """Another worker has claimed the lane since, or the change was paused; this one stops without a trace."""


class WindowClosed(Exception):
    """The change's window has ended; it holds itself until the next one."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The change as its next chunk finds it, under a share lock."""

    state: str
    canary: str
    pace: pacing.Pace
    schema_seen: schema.Columns
    now: datetime


def advance(change: Change, held: Claim, *, inline: bool = False) -> bool:
    """Do the next chunk of a claimed lane. Return whether this worker goes on with it at once.

    Raises LaneLost when the fence has risen. Whatever the database refuses makes the chunk smaller: a row it
    refuses alone is skipped with its reason, a lock that somebody holds is waited for, anything else counts an
    attempt, and the last one fails the lane. A closed window or a table that changed holds the whole change.
    """
    small = False
    try:
        if not inline:
            pressing = throttling.pressing(change)
            if pressing and lanes.wait(held, pressing[0].as_json(), patience_s=settings.CUSTODY_THROTTLE_PATIENCE):
                return False
            small = bool(pressing)
        with durable():
            rest_s = _chunk(change, held, inline=inline, small=small)
    except WindowClosed:
        hold(change, Held.WINDOW)
        return _gives_back(held)
    except schema.SchemaDiffers as found:
        hold(change, Held.SCHEMA, moved=found.moved)
        return _gives_back(held)
    except (DatabaseError, CaptureMismatch, ConflictsFound, ArchiveFull, ArchiveDiffers) as error:
        if inline:
            raise
        return _stumble(change, held, error)
    if rest_s:
        time.sleep(min(rest_s, 1.0))
    return rest_s is not None


def _gives_back(held: Claim) -> bool:
    lanes.release(held)
    return False


def _chunk(change: Change, held: Claim, *, inline: bool, small: bool) -> float | None:
    """Seconds to rest before the next chunk, None when this worker is done with the lane."""
    with connection.cursor() as cursor:
        if not inline:
            cursor.execute(GUARDS)
        lane = Lane.objects.select_for_update().filter(pk=held.lane_id, fence=held.fence, state=Lane.State.OPEN).first()
        if lane is None:
            raise LaneLost
        standing = _standing(cursor, change)
    taking_back = standing.canary == Canary.TAKING_BACK and lane.canary
    if standing.state == State.PAUSED:
        lanes.release(held)
        return None
    if standing.state != State.RUNNING and not taking_back:
        lane.state = Lane.State.STOPPED if standing.state == State.CANCELLING else lane.state
        lane.save(update_fields=["state"])
        return None
    if not inline and not taking_back:
        _refuse_closed(change, standing.now)
    limit = settings.CUSTODY_CHUNK_ROWS if inline else _usual(lane, standing.pace)
    limit = max(1, limit // 10) if small else limit
    hi, rows = next_range(change, lane, limit)
    if not rows:
        lane.state = Lane.State.STOPPED if taking_back else Lane.State.DONE
        lane.save(update_fields=["state"])
        return None
    if lane.kind == Lane.Kind.ARCHIVE:
        archiving.advance(change, lane, hi)
        return 0.0
    seen: schema.Columns = {} if inline else standing.schema_seen
    apply = applying.take_back if taking_back else applying.apply
    counts = apply(change, lane, hi, rows, seen)
    rest_s = max(standing.pace.rest_s(rows), lanes.WAIT_SECONDS if small else 0.0)
    _note(lane, hi, rows, limit, counts, small=small, rest_s=rest_s)
    if small:  # the pressure is still there: the lane rests, and its worker looks for something else
        lanes.release(held)
        return None
    return rest_s


def _usual(lane: Lane, pace: pacing.Pace) -> int:
    """Rows of the lane's next step; a file holds more than a chunk, for nobody waits for its rows."""
    if lane.kind == Lane.Kind.ARCHIVE:
        return lane.limit or int(settings.CUSTODY_ARCHIVE_ROWS)
    return pacing.limit_of(lane, pace)


def _standing(cursor: Any, change: Change) -> Standing:
    cursor.execute(STANDING, [change.tenant_id, change.pk])
    state, canary, chunk_rows, rate, seen, now, workers = cursor.fetchone()
    return Standing(state, canary, pacing.Pace(chunk_rows, rate, workers), json.loads(seen), now)


def _refuse_closed(change: Change, now: datetime) -> None:
    window = windows.parse(change.options.get("window"))
    if window is not None and not window.is_open(now):
        raise WindowClosed


def next_range(change: Change, lane: Lane, limit: int) -> tuple[int, int]:
    """The end of the lane's next chunk, and how many frozen rows it holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(position), count(*) FROM (SELECT position FROM changes_frozenrow WHERE tenant_id = %s "
            "AND change_id = %s AND part = %s AND position > %s AND position <= %s ORDER BY position LIMIT %s) q",
            [change.tenant_id, change.pk, lane.part, lane.cursor, lane.hi, limit],
        )
        hi, rows = cursor.fetchone()
    return hi, rows


def _note(lane: Lane, hi: int, rows: int, limit: int, counts: applying.Counts, *, small: bool, rest_s: float) -> None:
    """Cursor and counts of the chunk, in its own transaction."""
    Lane.objects.filter(pk=lane.pk).update(
        cursor=hi,
        applied=F("applied") + counts.applied,
        skipped=F("skipped") + counts.skipped,
        taken_back=F("taken_back") + counts.taken_back,
        chunks=lane.chunks + 1,
        attempts=0,
        limit=lane.limit if small else pacing.next_limit(limit, rows, counts.held_s),
        held_ms=int(counts.held_s * 1000),
        error="",
        heartbeat_at=Now(),
        waiting=lane.waiting if small else None,
        waiting_since=lane.waiting_since if small else None,
        not_before=Now() + timedelta(seconds=rest_s) if rest_s else None,
    )


def _stumble(change: Change, held: Claim, error: Exception) -> bool:
    """Make the next try smaller. Patience decides about neighbours, ATTEMPTS about the rest, and a row alone is left."""
    code = str(getattr(error.__cause__, "sqlstate", "") or "")
    text = str(error).splitlines()[0][:500]
    with transaction.atomic():
        lane = _locked(held, error)
        own = Change.objects.values_list("chunk_rows", flat=True).get(pk=change.pk)
        limit = _usual(lane, pacing.Pace(own))
        if code.startswith(OF_A_ROW):
            if limit == 1 and lane.kind == Lane.Kind.ROWS:
                _quarantine(change, lane, text)
            else:
                Lane.objects.filter(pk=lane.pk).update(limit=max(1, limit // 10), error=text)
            return True
        waited_s = lanes.waited_s(lane)
        neighbour = code in OF_A_NEIGHBOUR
        attempts = lane.attempts + (0 if neighbour else ATTEMPTS if isinstance(error, FOR_GOOD) else 1)
        gives_up = waited_s >= settings.CUSTODY_LOCK_PATIENCE if neighbour else attempts >= ATTEMPTS
        rests = neighbour and not gives_up and waited_s > KEEP_TRYING_S
        Lane.objects.filter(pk=lane.pk).update(
            limit=max(1, limit // 2),
            attempts=attempts,
            error=text,
            state=Lane.State.FAILED if gives_up else Lane.State.OPEN,
            heartbeat_at=None if gives_up else lane.heartbeat_at,
            waiting={"signal": "row_locks"} if neighbour and not gives_up else None,
            waiting_since=(lane.waiting_since or Now()) if neighbour and not gives_up else None,
            worker="" if rests else lane.worker,
            not_before=Now() + timedelta(seconds=lanes.WAIT_SECONDS) if rests else None,
        )
    if gives_up or rests:
        return False
    time.sleep(random.uniform(0.05, 0.2) * max(1, attempts))
    return True


def _locked(held: Claim, error: Exception) -> Lane:
    lane = Lane.objects.select_for_update().filter(pk=held.lane_id, fence=held.fence, state=Lane.State.OPEN).first()
    if lane is None:
        raise LaneLost from error
    return lane


def _quarantine(change: Change, lane: Lane, text: str) -> None:
    """Leave a row that the database refuses; one of a trial that cannot be taken back stays as the trial made it."""
    hi, rows = next_range(change, lane, 1)
    if not rows:
        return
    if Change.objects.filter(pk=change.pk, canary=Canary.TAKING_BACK).exists():
        Lane.objects.filter(pk=lane.pk).update(cursor=hi, limit=10, error=text)
        return
    frozen = FrozenRow.objects.get(tenant_id=change.tenant_id, change_id=change.pk, part=lane.part, position=hi)
    SkippedRow.objects.get_or_create(
        tenant_id=change.tenant_id,
        change=change,
        part=lane.part,
        position=hi,
        defaults={"key": frozen.key, "reason": SkipReason.ERROR, "detail": text},
    )
    lane.cursor, lane.skipped, lane.limit = hi, lane.skipped + 1, 10
    lane.save()
