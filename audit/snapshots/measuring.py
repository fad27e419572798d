"""How many rows a state holds, and a checksum over them: of the table itself, or later from the record.

The checksum is the sum over a 64-bit hash of each row's text, so it does not depend on the order of rows. The
text depends on settings of the session; they are fixed while it is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from audit import registry
from audit.names import quote
from audit.snapshots import sql, state
from audit.snapshots.models import SnapshotTable
from audit.snapshots.recorded import Recorded, recorded

FIXED = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
    "xmlbinary": "base64",
}


@dataclass(frozen=True, slots=True)
class Measure:
    """Rows, rows that are not deleted, and the checksum over all of them, as a decimal number."""

    rows: int
    live_rows: int
    checksum: str


def of_table(table: Recorded, *, tenant_id: int | None) -> Measure:
    """Of the table as this transaction sees it."""
    where = f"o.tenant_id = {int(tenant_id)}" if table.has_tenant and tenant_id is not None else "true"
    return _measure(table.live_row("o"), "o.is_deleted", f"{table.table} o WHERE {where}")


def of_state(table: Recorded, at: state.State, *, tenant_id: int | None) -> Measure:
    """From the record: exactly what the table held in that state."""
    keys = table.keys("h")
    down = ", ".join(f"h.{quote(column.history)} DESC" for column in table.key)
    source = (
        f"(SELECT DISTINCT ON ({keys}) h.* FROM {table.history} h WHERE {table.of_tenant('h', tenant_id)} "
        f"AND {sql.visible(at)} ORDER BY {down}, h.history_id DESC) s WHERE s.history_type <> '-'"
    )
    return _measure(table.row("s"), "s.is_deleted", source)


def measure(part: SnapshotTable) -> SnapshotTable:
    """Measure a table of a snapshot from the record, once; a second call changes nothing.

    Raises BaselineOpen, UnknownEntity.
    """
    if part.measured_at is not None:
        return part
    found = recompute(part)
    with transaction.atomic():
        store(part, found)
    part.refresh_from_db()
    return part


def recompute(part: SnapshotTable) -> Measure:
    """What the record says about a table of a snapshot now; equal to what was stored, unless somebody rewrote it."""
    model = registry.entity(part.entity)
    at = state.of_snapshot(part.snapshot)
    state.require_recorded(model, at, whole=True)
    return of_state(recorded(model), at, tenant_id=part.tenant_id)


def store(part: SnapshotTable, found: Measure) -> bool:
    """Write the figures where there are none yet; return whether this call did."""
    written = SnapshotTable.objects.filter(pk=part.pk, measured_at__isnull=True).update(
        rows=found.rows, live_rows=found.live_rows, checksum=found.checksum, measured_at=Now()
    )
    return bool(written)


def _measure(row: str, is_deleted: str, source: str) -> Measure:
    with _fixed_settings(), connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*), count(*) FILTER (WHERE NOT {is_deleted}), "
            f'coalesce(sum(hashtextextended({row}::text COLLATE "C", 0)), 0)::text FROM {source}'
        )
        return Measure(*cursor.fetchone())


@contextmanager
def _fixed_settings() -> Iterator[None]:
    """Session settings that a row's text depends on, put back afterwards; an error takes them back by itself."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"current_setting('{name}')" for name in FIXED))
        before: dict[str, Any] = dict(zip(FIXED, cursor.fetchone(), strict=True))
        _set(cursor, FIXED)
        yield
        _set(cursor, before)


def _set(cursor: Any, values: dict[str, Any]) -> None:
    calls = ", ".join("set_config(%s, %s, true)" for _ in values)
    cursor.execute(f"SELECT {calls}", [part for pair in values.items() for part in pair])
