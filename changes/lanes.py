"""Lanes: the ranges of a run, claimed with a row lock and a rising fence, worked off chunk by chunk.

A chunk is one transaction: rows, history, cursor and counts commit together. The database row decides
who works; a message from the broker is only a hint to look.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Max, Min
from django.db.models.functions import Now

from audit import registry
from changes import conflicts
from changes.errors import CaptureMismatch, ConflictsFound
from changes.models import Change, ChangePart, FrozenRow, Lane, SkippedRow
from changes.operations import effect_of
from changes.states import SkipReason, State
from changes.tables import AS_EVER, BY_KEY, table_of
from foundation import context
from foundation.postgres.transactions import durable

STALE_SECONDS = 10
SPLIT_ROWS = 50_000
ATTEMPTS = 8

# A lane somebody may take now: free or left behind, and no lane of an earlier step is unfinished or failed.
# Of a paused change nobody takes one.
CLAIMABLE = """
l.tenant_id = %(tenant)s AND l.change_id = %(change)s AND l.state = 'open'
AND EXISTS (SELECT FROM changes_change c WHERE c.tenant_id = l.tenant_id AND c.id = l.change_id
               AND c.state IN ('running', 'cancelling'))
AND (l.worker = '' OR l.heartbeat_at < clock_timestamp() - make_interval(secs => %(stale)s))
AND NOT EXISTS (SELECT FROM changes_lane e WHERE e.tenant_id = l.tenant_id AND e.change_id = l.change_id
                   AND e.step < l.step AND e.state IN ('open', 'failed'))
"""
CLAIM = f"""
UPDATE changes_lane SET fence = fence + 1, worker = %(worker)s, heartbeat_at = clock_timestamp()
 WHERE tenant_id = %(tenant)s AND id = (
   SELECT l.id FROM changes_lane l WHERE {CLAIMABLE} ORDER BY l.step, l.id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, fence
"""
# SQLSTATE classes that blame a row: no data, bad data, broken constraints, exceptions of triggers.
OF_A_ROW = ("09", "20", "21", "22", "23", "27", "38", "39", "44", "P0")
# The lane's lock is the lease: it ends with the connection, or after ten idle seconds inside a transaction.
GUARDS = (
    "SELECT set_config('lock_timeout', '2s', true), set_config('statement_timeout', '60s', true), "
    "set_config('idle_in_transaction_session_timeout', '10s', true)"
)


class LaneLost(Exception):
    """Another worker has claimed the lane since, or the change was paused; this one stops without a trace."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a lane, until a higher fence exists."""

    lane_id: int
    fence: int


def open_lanes(change: Change) -> None:
    """Cut each part into ranges of about equal size."""
    for part in change.parts.filter(rows__gt=0):
        wanted = settings.CUSTODY_LANES if part.rows >= SPLIT_ROWS else 1
        bounds = _bounds(change, part, wanted)
        for lo, hi, rows in bounds:
            Lane.objects.create(
                tenant_id=change.tenant_id,
                change=change,
                part=part.part,
                step=part.step,
                lo=lo,
                hi=hi,
                cursor=lo,
                rows=rows,
            )


def _bounds(change: Change, part: ChangePart, wanted: int) -> list[tuple[int, int, int]]:
    """(lo, hi] ranges with their row counts."""
    frozen = FrozenRow.objects.filter(tenant_id=change.tenant_id, change_id=change.pk, part=part.part)
    ends = frozen.aggregate(first=Min("position"), last=Max("position"))
    cuts = [ends["first"] - 1]
    for number in range(1, wanted):
        offset = part.rows * number // wanted - 1
        cuts.append(frozen.order_by("position").values_list("position", flat=True)[offset])
    cuts.append(ends["last"])
    sizes = [part.rows * (n + 1) // wanted - part.rows * n // wanted for n in range(wanted)]
    return [(cuts[n], cuts[n + 1], sizes[n]) for n in range(wanted)]


def claim(change: Change, worker: str) -> Claim | None:
    """Claim the next lane that nobody works on. Earlier steps end before later ones begin."""
    with durable(), connection.cursor() as cursor:
        cursor.execute(CLAIM, {"worker": worker, **_of(change)})
        row = cursor.fetchone()
    return None if row is None else Claim(*row)


def claimable(change: Change) -> int:
    """How many lanes wait for a worker now."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM changes_lane l WHERE {CLAIMABLE}", _of(change))
        return int(cursor.fetchone()[0])


def unfinished(change: Change) -> bool:
    """Whether any lane can still be worked on; what stands behind a failed lane waits for a person."""
    mine = Lane.objects.filter(change_id=change.pk)
    failed = mine.filter(state=Lane.State.FAILED).aggregate(step=Min("step"))["step"]
    open_lanes = mine.filter(state=Lane.State.OPEN)
    return (open_lanes if failed is None else open_lanes.filter(step__lte=failed)).exists()


def _of(change: Change) -> dict[str, Any]:
    return {"tenant": change.tenant_id, "change": change.pk, "stale": STALE_SECONDS}


def release(held: Claim) -> None:
    """Give a lane back before it is done, so that another worker need not wait for the lease."""
    Lane.objects.filter(pk=held.lane_id, fence=held.fence).update(worker="")


def advance(change: Change, held: Claim, *, inline: bool = False) -> bool:
    """Do the next chunk of a claimed lane. Return whether the lane may have more.

    Raises LaneLost when the fence has risen. Whatever the database refuses makes the chunk smaller: a row it
    refuses alone is skipped with its reason; anything else counts an attempt, and the last one fails the lane.
    """
    try:
        with durable():
            return _chunk(change, held, inline=inline)
    except (DatabaseError, CaptureMismatch, ConflictsFound) as error:
        if inline:
            raise
        return _stumble(change, held, error)


def _chunk(change: Change, held: Claim, *, inline: bool) -> bool:
    with connection.cursor() as cursor:
        if not inline:
            cursor.execute(GUARDS)
        lane = Lane.objects.select_for_update().filter(pk=held.lane_id, fence=held.fence, state=Lane.State.OPEN).first()
        if lane is None:
            raise LaneLost
        cursor.execute(
            "SELECT state FROM changes_change WHERE tenant_id = %s AND id = %s FOR SHARE", [change.tenant_id, change.pk]
        )
        state = cursor.fetchone()[0]
    if state == State.PAUSED:
        release(held)
        return False
    if state != State.RUNNING:
        lane.state = Lane.State.STOPPED if state == State.CANCELLING else lane.state
        lane.save(update_fields=["state"])
        return False
    limit = lane.limit or settings.CUSTODY_CHUNK_ROWS
    hi, rows = _next_range(change, lane, limit)
    if not rows:
        lane.state = Lane.State.DONE
        lane.save(update_fields=["state"])
        return False
    _apply(change, lane, hi, rows)
    return True


def _next_range(change: Change, lane: Lane, limit: int) -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(position), count(*) FROM (SELECT position FROM changes_frozenrow WHERE tenant_id = %s "
            "AND change_id = %s AND part = %s AND position > %s AND position <= %s ORDER BY position LIMIT %s) q",
            [change.tenant_id, change.pk, lane.part, lane.cursor, lane.hi, limit],
        )
        hi, rows = cursor.fetchone()
    return hi, rows


def _apply(change: Change, lane: Lane, hi: int, rows: int) -> None:
    part = change.parts.get(part=lane.part)
    applied = _change_rows(change, part, lane.cursor, hi, rows)
    if applied < rows:
        _list_skipped(change, part, lane.cursor, hi)
        conflicts.refuse_aborting(change, part=part.part, lo=lane.cursor, hi=hi)
    Lane.objects.filter(pk=lane.pk).update(
        cursor=hi,
        applied=lane.applied + applied,
        skipped=lane.skipped + rows - applied,
        chunks=lane.chunks + 1,
        attempts=0,
        limit=0 if lane.limit * 4 >= settings.CUSTODY_CHUNK_ROWS else lane.limit * 4,
        error="",
        heartbeat_at=Now(),
    )


def _change_rows(change: Change, part: ChangePart, lo: int, hi: int, rows: int) -> int:
    """Lock in key order, change what is still as it was frozen, and see that the database recorded it."""
    table, effect = table_of(registry.entity(part.entity)), effect_of(change, part)
    if effect.locked:
        lock_rows(change, part, lo, hi, rows)
    values = {"tenant": change.tenant_id, "change": change.pk, "part": part.part, "lo": lo, "hi": hi}
    values |= effect.values(change, part)
    way = table.way(lo, hi, rows) if effect.by_range(part) else BY_KEY
    acting_as = context.inside(change_id=change.pk, action=change.operation, reason=change.reason)
    with acting_as, connection.cursor() as cursor:
        cursor.execute(way.settings)
        cursor.execute(effect.chunk_sql(change, table, part, way.bounds), values)
        applied: int = cursor.rowcount
        cursor.execute(AS_EVER)
        captured = _captured(cursor, change, table.plain_name) if applied else 0
    if captured != applied:
        raise CaptureMismatch(captured=captured, applied=applied)
    return applied


def lock_rows(change: Change, part: ChangePart, lo: int, hi: int, rows: int) -> None:
    """Row locks in key order, so that two of us can wait but never deadlock.

    NO KEY: what an UPDATE of these columns takes anyway, and other programs may go on adding children.
    """
    table = table_of(registry.entity(part.entity))
    way = table.way(lo, hi, rows)
    values = {"tenant": change.tenant_id, "change": change.pk, "part": part.part, "lo": lo, "hi": hi}
    with connection.cursor() as cursor:
        cursor.execute(way.settings)
        cursor.execute(
            f"SELECT count(*) FROM (SELECT FROM {table.name} o JOIN changes_frozenrow r ON {table.match()} "
            "WHERE r.tenant_id = %(tenant)s AND r.change_id = %(change)s AND r.part = %(part)s "
            f"AND r.position > %(lo)s AND r.position <= %(hi)s AND {table.tenant()} AND {way.bounds} "
            f"ORDER BY {table.order()} FOR NO KEY UPDATE OF o) q",
            values,
        )
        cursor.execute(AS_EVER)


def _captured(cursor: Any, change: Change, table: str) -> int:
    """Rows of the last statement as the trigger counted them."""
    cursor.execute(
        "SELECT affected_rows FROM audit_event WHERE change_id = %s AND target_table = %s "
        "AND xid = pg_current_xact_id() ORDER BY id DESC LIMIT 1",
        [change.pk, table],
    )
    row = cursor.fetchone()
    return 0 if row is None else int(row[0])


def _list_skipped(change: Change, part: ChangePart, lo: int, hi: int) -> None:
    """Rows of the range that this change did not touch, each with the reason that can be seen."""
    table = table_of(registry.entity(part.entity))
    effect = effect_of(change, part)
    values = {"tenant": change.tenant_id, "change": change.pk, "part": part.part, "lo": lo, "hi": hi}
    values |= effect.values(change, part)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO changes_skippedrow (tenant_id, change_id, part, position, key, reason, detail) "
            "SELECT %(tenant)s, %(change)s, %(part)s, r.position, r.key, "
            f"{effect.skip_sql(change, table, part)}, '' FROM changes_frozenrow r "
            "WHERE r.tenant_id = %(tenant)s AND r.change_id = %(change)s AND r.part = %(part)s "
            "AND r.position > %(lo)s AND r.position <= %(hi)s AND NOT EXISTS ("
            f"SELECT FROM {table.history} h WHERE {table.match('h')} AND {table.tenant('h')} "
            "AND h.change_id = %(change)s) "
            "ON CONFLICT DO NOTHING",
            values,
        )


def _stumble(change: Change, held: Claim, error: Exception) -> bool:
    """Make the next try smaller; give up on a lane after ATTEMPTS tries, on a row when it stands alone."""
    broken_row = str(getattr(error.__cause__, "sqlstate", "") or "").startswith(OF_A_ROW)
    text = str(error).splitlines()[0][:500]
    with transaction.atomic():
        lane = Lane.objects.select_for_update().filter(pk=held.lane_id, fence=held.fence, state=Lane.State.OPEN).first()
        if lane is None:
            raise LaneLost from error
        limit = lane.limit or settings.CUSTODY_CHUNK_ROWS
        if broken_row and limit == 1:
            _quarantine(change, lane, text)
            return True
        lane.limit = max(1, limit // 10 if broken_row else limit // 2)
        lane.attempts += 0 if broken_row else ATTEMPTS if isinstance(error, ConflictsFound) else 1
        lane.error = text
        lane.heartbeat_at = None if lane.attempts >= ATTEMPTS else lane.heartbeat_at
        lane.state = Lane.State.FAILED if lane.attempts >= ATTEMPTS else lane.state
        lane.save()
    time.sleep(random.uniform(0.05, 0.2) * lane.attempts)
    return lane.state == Lane.State.OPEN


def _quarantine(change: Change, lane: Lane, text: str) -> None:
    hi, rows = _next_range(change, lane, 1)
    if not rows:
        return
    frozen = FrozenRow.objects.get(tenant_id=change.tenant_id, change_id=change.pk, part=lane.part, position=hi)
    SkippedRow.objects.create(
        tenant_id=change.tenant_id,
        change=change,
        part=lane.part,
        position=hi,
        key=frozen.key,
        reason=SkipReason.ERROR,
        detail=text,
    )
    lane.cursor, lane.skipped, lane.limit = hi, lane.skipped + 1, 10
    lane.save()
