"""Lanes: the ranges of a run, claimed with a row lock and a rising fence.

The database row decides who works; a message from the broker is only a hint to look. What a worker does with a
claimed lane is in `changes.chunks`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Max, Min

from audit import registry
from changes import archiving
from changes.models import Change, ChangePart, FrozenRow, Lane
from changes.operations import effect_of
from changes.tables import AS_EVER, table_of
from foundation.postgres.transactions import durable

STALE_SECONDS = 10
SPLIT_ROWS = 50_000
# A lane that waits is looked at again after this long.
WAIT_SECONDS = 2.0

# A lane somebody may take now: free or left behind, rested, and no lane of an earlier step is unfinished or failed.
# Of a paused change nobody takes one; while a change is tried or watched only the lanes of the trial.
CLAIMABLE = """
l.tenant_id = %(tenant)s AND l.change_id = %(change)s AND l.state = 'open'
AND EXISTS (SELECT FROM changes_change c WHERE c.tenant_id = l.tenant_id AND c.id = l.change_id
               AND (c.state = 'cancelling' OR (c.state = 'running'
                    AND (c.canary IN ('', 'passed') OR (c.canary = 'trying' AND l.canary)))))
AND (l.worker = '' OR l.heartbeat_at < clock_timestamp() - make_interval(secs => %(stale)s))
AND (l.not_before IS NULL OR l.not_before <= clock_timestamp())
AND NOT EXISTS (SELECT FROM changes_lane e WHERE e.tenant_id = l.tenant_id AND e.change_id = l.change_id
                   AND e.step < l.step AND e.state IN ('open', 'failed'))
"""
CLAIM = f"""
UPDATE changes_lane SET fence = fence + 1, worker = %(worker)s, heartbeat_at = clock_timestamp()
 WHERE tenant_id = %(tenant)s AND id = (
   SELECT l.id FROM changes_lane l WHERE {CLAIMABLE} ORDER BY l.step, l.id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, fence
"""
# Waits unless it has waited for too long already: then a small chunk goes through.
WAIT = """
UPDATE changes_lane SET waiting = %(waiting)s::jsonb, waiting_since = coalesce(waiting_since, clock_timestamp()),
       not_before = clock_timestamp() + make_interval(secs => %(rest)s), worker = ''
 WHERE id = %(lane)s AND fence = %(fence)s AND state = 'open'
   AND (waiting_since IS NULL OR waiting_since > clock_timestamp() - make_interval(secs => %(patience)s))
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a lane, until a higher fence exists."""

    lane_id: int
    fence: int


def open_lanes(change: Change) -> None:
    """Cut each part into ranges of about equal size; of the first parts the rows of the trial come first."""
    parts = list(change.parts.filter(rows__gt=0))
    first = min((part.step for part in parts), default=0)
    percent = float(change.options.get("canary", {}).get("percent", 0))
    for part in parts:
        if effect_of(change, part).archived:
            archiving.open_lane(change, part)
        trial = -int(-part.rows * percent // 100) if part.step == first else 0
        wanted = settings.CUSTODY_LANES if part.rows >= SPLIT_ROWS else 1
        sizes = ([trial] if trial else []) + _shares(part.rows - trial, wanted)
        for number, (lo, hi, rows) in enumerate(_bounds(change, part, sizes)):
            Lane.objects.create(
                tenant_id=change.tenant_id,
                change=change,
                part=part.part,
                step=part.step,
                lo=lo,
                hi=hi,
                cursor=lo,
                rows=rows,
                canary=bool(trial) and number == 0,
            )


def _shares(rows: int, wanted: int) -> list[int]:
    """`rows` in up to `wanted` about equal shares, none of them empty."""
    shares = [rows * (n + 1) // wanted - rows * n // wanted for n in range(wanted)]
    return [share for share in shares if share]


def _bounds(change: Change, part: ChangePart, sizes: list[int]) -> list[tuple[int, int, int]]:
    """(lo, hi] ranges that hold that many rows each."""
    frozen = FrozenRow.objects.filter(tenant_id=change.tenant_id, change_id=change.pk, part=part.part)
    ends = frozen.aggregate(first=Min("position"), last=Max("position"))
    cuts, done = [ends["first"] - 1], 0
    for size in sizes[:-1]:
        done += size
        cuts.append(frozen.order_by("position").values_list("position", flat=True)[done - 1])
    cuts.append(ends["last"])
    return [(cuts[n], cuts[n + 1], size) for n, size in enumerate(sizes)]


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
    still = mine.filter(state=Lane.State.OPEN)
    if failed is not None:
        still = still.filter(step__lte=failed)
        if mine.filter(state=Lane.State.FAILED, canary=True).exists():
            still = still.filter(canary=True)
    return still.exists()


def _of(change: Change) -> dict[str, Any]:
    return {"tenant": change.tenant_id, "change": change.pk, "stale": STALE_SECONDS}


def release(held: Claim) -> None:
    """Give a lane back before it is done, so that another worker need not wait for the lease."""
    Lane.objects.filter(pk=held.lane_id, fence=held.fence).update(worker="")


def wait(held: Claim, why: dict[str, Any], *, patience_s: float) -> bool:
    """Give a lane back until what it waits for is over. False when it has waited for `patience_s` seconds already."""
    values: dict[str, Any] = {"waiting": json.dumps(why), "rest": WAIT_SECONDS, "patience": patience_s}
    with durable(), connection.cursor() as cursor:
        cursor.execute(WAIT, {**values, "lane": held.lane_id, "fence": held.fence})
        return bool(cursor.rowcount)


def waited_s(lane: Lane) -> float:
    """How long a lane has been waiting, on the database's clock."""
    if lane.waiting_since is None:
        return 0.0
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp() - %s::timestamptz)", [lane.waiting_since])
        return float(cursor.fetchone()[0])


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
