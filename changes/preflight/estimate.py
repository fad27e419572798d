"""How long it will take and how much log it will write: a few rows are changed for real, measured, and taken back.

The chunk's own statement runs over the first frozen rows of each table, triggers and history with it, in a savepoint that
is rolled back: nothing is recorded, and row locks are gone with it. No more rows than may be changed without approval.
"""

from __future__ import annotations

import time
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext_lazy as _

from audit import registry
from changes.holds import standing
from changes.models import Change, ChangePart
from changes.operations import effect_of
from changes.preflight.base import PASS, Check, Finding, Part, Subject
from changes.tables import BY_KEY, table_of
from foundation import context

# Fewer rows are done before anybody has read the estimate.
WORTH, MOST = 100, 200
LIMITS = "SELECT set_config('lock_timeout', '200ms', true), set_config('statement_timeout', '2s', true)"
RANGE = """
SELECT min(position) - 1, max(position), count(*) FROM (SELECT position FROM changes_frozenrow
 WHERE tenant_id = %s AND change_id = %s AND part = %s ORDER BY position LIMIT %s) q
"""
LSN = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"


class _TakeBack(Exception):
    """Ends the savepoint of a measurement."""


def ask(subject: Subject) -> Finding | None:
    if subject.rows <= WORTH:
        return None
    seconds, written, left, sampled = 0.0, 0.0, 0, 0
    for part in subject.parts:
        measured = _measured(subject.change, part) if part.rows else None
        if measured is None:
            left += part.rows
            continue
        rows, took_s, wrote = measured
        sampled += rows
        seconds += took_s * part.rows / rows
        written += wrote * part.rows / rows
    facts = {"rows": subject.rows, "sampled": sampled, "left": left}
    if not sampled:
        return Finding("estimate", PASS, "not_measured", facts)
    return Finding("estimate", PASS, "estimate", {**facts, "seconds": round(seconds, 3), "wal_bytes": int(written)})


def _measured(change: Change, part: Part) -> tuple[int, float, int] | None:
    """(rows, seconds, bytes of log) of a few rows; None where that cannot be tried, or somebody was in the way."""
    stored = ChangePart(
        tenant_id=change.tenant_id,
        change=change,
        part=part.number,
        entity=part.entity._meta.label_lower,
        effect=part.effect,
        columns=list(part.columns),
        rows=part.rows,
    )
    effect = effect_of(change, stored)
    if effect.archived or not effect.there:  # a purge asks for a running change; rows to come have no place yet
        return None
    found: list[tuple[int, float, int]] = []
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            found.append(_tried(cursor, change, stored, effect))
            raise _TakeBack
    except _TakeBack:
        rows, took_s, wrote = found[0]
        return (rows, took_s, wrote) if rows else None
    except DatabaseError:
        return None


def _tried(cursor: Any, change: Change, part: ChangePart, effect: Any) -> tuple[int, float, int]:
    model = registry.entity(part.entity)
    table = table_of(model)
    cursor.execute(LIMITS)
    cursor.execute(RANGE, [change.tenant_id, change.pk, part.part, min(MOST, max(1, registry.threshold(model)))])
    lo, hi, _rows = cursor.fetchone()
    held = standing.condition(change.tenant_id, part.entity)
    values = {"tenant": change.tenant_id, "change": change.pk, "part": part.part, "lo": lo, "hi": hi}
    sql = effect.chunk_sql(change, table, part, f"NOT {held}" if held else "true")
    cursor.execute(BY_KEY.settings)
    cursor.execute(LSN)
    before, began = cursor.fetchone()[0], time.perf_counter()
    with context.inside(change_id=change.pk, action=change.operation, reason=change.reason):
        cursor.execute(sql, {**values, **effect.values(change, part)})
    rows, took_s = cursor.rowcount, time.perf_counter() - began
    cursor.execute(LSN)
    return rows, took_s, cursor.fetchone()[0] - before


CHECK = Check(name="estimate", label=_("Estimate"), ask=ask, planned=True)
