"""What a chunk does to its rows: lock, change what is still as it was frozen, list the rest; or take a trial back.

Between the first row lock and the end of a chunk our waits for locks stay below the server's deadlock_timeout: a
neighbour that waits for us looks for a deadlock only after that long, and then finds none.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from django.db import connection

from audit import registry
from audit.names import quote
from changes import conflicts, schema
from changes.errors import CaptureMismatch
from changes.holds import standing
from changes.lanes import lock_rows
from changes.models import Change, ChangePart, Lane
from changes.operations import effect_of
from changes.states import SkipReason
from changes.tables import AS_EVER, BY_KEY, Table, table_of
from changes.versions import restored, same
from foundation import context

# Shares of deadlock_timeout: for taking all row locks, and for whatever the statement itself may still meet.
FOR_ROWS, IN_ALL = 0.4, 0.7
PATIENCE = "extract(epoch FROM current_setting('deadlock_timeout')::interval) * 1000"
TAKE_LOCKS = f"SELECT set_config('statement_timeout', ceil({PATIENCE} * {FOR_ROWS})::text, true)"
HAVE_LOCKS = (
    f"SELECT set_config('lock_timeout', greatest(1, ceil({PATIENCE} * {IN_ALL} - %s))::text, true), "
    "set_config('statement_timeout', '60s', true)"
)
TAKE_BACK = "take_back"


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of a chunk's rows, and for how many seconds they were locked. Of a take-back `applied` is negative."""

    applied: int
    skipped: int
    held_s: float
    taken_back: int = 0


def apply(change: Change, lane: Lane, hi: int, rows: int, seen: schema.Columns) -> Counts:
    """Change the frozen rows of (cursor, hi]. Raises CaptureMismatch, ConflictsFound, SchemaDiffers."""
    part = change.parts.get(part=lane.part)
    effect, table = effect_of(change, part), table_of(registry.entity(part.entity))
    began = _locked_rows(change, part, lane.cursor, hi, rows, seen)
    way = table.way(lane.cursor, hi, rows) if effect.by_range(part) else BY_KEY
    values = {**_values(change, part, lane.cursor, hi), **effect.values(change, part)}
    held = standing.condition(change.tenant_id, part.entity) if effect.there else ""
    bounds = f"{way.bounds} AND NOT {held}" if held else way.bounds
    with context.inside(change_id=change.pk, action=change.operation, reason=change.reason):
        applied = _changed(change, table, way.settings, effect.chunk_sql(change, table, part, bounds), values)
    if applied < rows:
        _list_skipped(change, part, table, values, held)
        conflicts.refuse_aborting(change, part=part.part, lo=lane.cursor, hi=hi)
    return Counts(applied, rows - applied, time.perf_counter() - began)


def take_back(change: Change, lane: Lane, hi: int, rows: int, seen: schema.Columns) -> Counts:
    """Return what the trial changed in (cursor, hi] to the version before, where it is still what the trial wrote."""
    part = change.parts.get(part=lane.part)
    table = table_of(registry.entity(part.entity))
    began = _locked_rows(change, part, lane.cursor, hi, rows, seen)
    values = _values(change, part, lane.cursor, hi)
    with context.inside(change_id=change.pk, action=TAKE_BACK, reason=change.reason):
        back = _changed(change, table, BY_KEY.settings, _take_back_sql(table, part), values)
    if back:
        _list_taken_back(change, table, values)
    return Counts(-back, back, time.perf_counter() - began, back)


def _values(change: Change, part: ChangePart, lo: int, hi: int) -> dict[str, Any]:
    return {"tenant": change.tenant_id, "change": change.pk, "part": part.part, "lo": lo, "hi": hi}


def _locked_rows(change: Change, part: ChangePart, lo: int, hi: int, rows: int, seen: schema.Columns) -> float:
    """Lock the rows in key order; under these locks the table cannot change any more. Return when that began."""
    with connection.cursor() as cursor:
        if not effect_of(change, part).locked:  # nothing is there yet to be locked
            return time.perf_counter()
        if not seen:  # inside somebody's own transaction: its locks are its own business
            began = time.perf_counter()
            lock_rows(change, part, lo, hi, rows)
            return began
        cursor.execute(TAKE_LOCKS)
        began = time.perf_counter()
        lock_rows(change, part, lo, hi, rows)
        cursor.execute(HAVE_LOCKS, [(time.perf_counter() - began) * 1000])
    schema.check(change, seen)
    return began


def _changed(change: Change, table: Table, settings: str, sql: str, values: dict[str, Any]) -> int:
    """Rows the statement changed. Raises CaptureMismatch when the database recorded another number."""
    with connection.cursor() as cursor:
        # The guard looks at the rows of this chunk only (`changes/sql/coverage_v2.sql`).
        cursor.execute(f"{settings}; SET LOCAL custody.chunk = '{values['part']}:{values['lo']}:{values['hi']}'")
        cursor.execute(sql, values)
        applied: int = cursor.rowcount
        cursor.execute(f"{AS_EVER}; SET LOCAL custody.chunk = ''")
        captured = _captured(cursor, change, table.plain_name) if applied else 0
    if captured != applied:
        raise CaptureMismatch(captured=captured, applied=applied)
    return applied


def _captured(cursor: Any, change: Change, table: str) -> int:
    """Rows of the last statement as the trigger counted them."""
    cursor.execute(
        "SELECT affected_rows FROM audit_event WHERE change_id = %s AND target_table = %s "
        "AND xid = pg_current_xact_id() ORDER BY id DESC LIMIT 1",
        [change.pk, table],
    )
    row = cursor.fetchone()
    return 0 if row is None else int(row[0])


def _list_skipped(change: Change, part: ChangePart, table: Table, values: dict[str, Any], held: str) -> None:
    """Rows of the range that this change did not touch, each with the reason that can be seen."""
    reason = effect_of(change, part).skip_sql(change, table, part)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO changes_skippedrow (tenant_id, change_id, part, position, key, reason, detail) "
            "SELECT %(tenant)s, %(change)s, %(part)s, r.position, r.key, "
            f"CASE WHEN {held or 'false'} THEN '{SkipReason.HOLD}' WHEN w.reason = '{SkipReason.CHANGED}' AND {table.recreated()} THEN '{SkipReason.RECREATED}' "
            f"ELSE w.reason END, '' FROM changes_frozenrow r CROSS JOIN LATERAL (SELECT {reason} AS reason) w "
            "WHERE r.tenant_id = %(tenant)s AND r.change_id = %(change)s AND r.part = %(part)s "
            "AND r.position > %(lo)s AND r.position <= %(hi)s AND NOT EXISTS ("
            f"SELECT FROM {table.history} h WHERE {table.match('h')} AND {table.tenant('h')} "
            "AND h.change_id = %(change)s) ON CONFLICT DO NOTHING",
            {**values, "snapshot": change.snapshot},
        )


def _take_back_sql(table: Table, part: ChangePart) -> str:
    """The UPDATE that brings the version b back, the one before what this change wrote as version a."""
    columns = tuple(part.columns)
    back = restored(table)
    sets = ", ".join(f"{quote(column)} = {back(column)}" for column in columns)
    return (
        f"UPDATE {table.name} o SET {sets} FROM changes_frozenrow r "
        f"JOIN LATERAL (SELECT h.* FROM {table.history} h WHERE {table.match('h')} AND {table.tenant('h')} "
        "AND h.change_id = %(change)s ORDER BY h.history_id DESC LIMIT 1) a ON true "
        f"JOIN LATERAL (SELECT h.* FROM {table.history} h WHERE {table.match('h')} AND {table.tenant('h')} "
        "AND h.history_id < a.history_id ORDER BY h.history_id DESC LIMIT 1) b ON true "
        "WHERE r.tenant_id = %(tenant)s AND r.change_id = %(change)s AND r.part = %(part)s "
        f"AND r.position > %(lo)s AND r.position <= %(hi)s AND {table.match()} AND {table.tenant()} "
        f"AND {same(table.model, columns, 'o', 'a')}"
    )


def _list_taken_back(change: Change, table: Table, values: dict[str, Any]) -> None:
    """Of rows that are as they were nothing is left to undo, so they are listed among those left alone."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO changes_skippedrow (tenant_id, change_id, part, position, key, reason, detail) "
            f"SELECT %(tenant)s, %(change)s, %(part)s, r.position, r.key, '{SkipReason.TAKEN_BACK}', '' "
            f"FROM changes_frozenrow r JOIN {table.name} o ON {table.match()} AND {table.tenant()} "
            f"JOIN {table.history} h ON {table.match_history()} AND {table.tenant('h')} AND h.change_id = %(change)s "
            "AND h.xid = pg_current_xact_id() "
            "WHERE r.tenant_id = %(tenant)s AND r.change_id = %(change)s AND r.part = %(part)s "
            "AND r.position > %(lo)s AND r.position <= %(hi)s ON CONFLICT DO NOTHING",
            values,
        )
