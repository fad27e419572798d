"""Verification: rows changed = history rows = rows counted, from the record itself."""

from __future__ import annotations

from typing import Any

from django.db import connection

from audit import registry
from changes.models import Change
from changes.tables import table_of


def verify(change: Change, applied: int, *, taken_back: int = 0) -> dict[str, Any]:
    """Count the change's history rows and events, per table, and compare with what the run counted.

    Rows of a trial that was taken back were written twice.
    """
    history, events, tables = 0, 0, {}
    labels = sorted(set(change.parts.values_list("entity", flat=True)))
    with connection.cursor() as cursor:
        for label in labels:
            rows = _history_rows(cursor, change, label)
            history += rows
            tables[label] = rows
        cursor.execute(
            "SELECT coalesce(sum(affected_rows), 0) FROM audit_event WHERE change_id = %s AND operation <> '*'",
            [change.pk],
        )
        events = int(cursor.fetchone()[0])
    written = applied + 2 * taken_back
    return {
        "applied": applied,
        **({"taken_back": taken_back} if taken_back else {}),
        "history_rows": history,
        "event_rows": events,
        "tables": tables,
        "equal": written == history == events,
    }


def _history_rows(cursor: Any, change: Change, label: str) -> int:
    """History rows of one table, found through the range of the change's events (BRIN)."""
    table = table_of(registry.entity(label))
    cursor.execute(
        f"SELECT count(*) FROM {table.history} h WHERE h.change_id = %(change)s AND {table.tenant('h')} "
        "AND h.event_id BETWEEN (SELECT min(id) FROM audit_event WHERE change_id = %(change)s) "
        "AND (SELECT max(id) FROM audit_event WHERE change_id = %(change)s)",
        {"change": change.pk, "tenant": change.tenant_id},
    )
    return int(cursor.fetchone()[0])
