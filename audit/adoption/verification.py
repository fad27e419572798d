"""Does history tell what the tables hold? Six questions per table, each in one statement and so in one snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from audit.adoption.baseline import governed_tables
from audit.adoption.capture import AdoptedTable
from audit.names import place, quote


@dataclass(frozen=True, slots=True)
class Finding:
    """How often something that must not be is."""

    table: str
    what: str
    count: int


def verify(connection: Any, app: str) -> Iterator[Finding]:
    """Ask all questions; a sound history yields zeros."""
    for table in governed_tables(connection, app):
        for what, sql in questions(table).items():
            with connection.cursor() as cursor:
                cursor.execute(sql)
                yield Finding(".".join(table.table), what, cursor.fetchone()[0])


def questions(table: AdoptedTable) -> dict[str, str]:
    """SQL that counts faults, by the fault's name."""
    rows, history, base = place(table.table), place(table.history), table.baseline_event
    same = table.same_key("h", "r")
    latest = (
        f"LATERAL (SELECT h.* FROM {history} h WHERE {same} ORDER BY h.history_date DESC, h.history_id DESC LIMIT 1) h"
    )
    stored = ", ".join(f"h.{quote(column.place)}" for column in table.recorded)
    keys = table.key_of("h")
    first = f"SELECT DISTINCT ON ({keys}) h.* FROM {history} h ORDER BY {keys}, h.history_id"
    last = f"SELECT DISTINCT ON ({keys}) h.* FROM {history} h ORDER BY {keys}, h.history_date DESC, h.history_id DESC"
    return {
        "rows without history": f"SELECT count(*) FROM {rows} r WHERE NOT EXISTS (SELECT FROM {history} h WHERE {same})",
        "rows that differ from their latest version": (
            f"SELECT count(*) FROM {rows} r CROSS JOIN {latest} "
            f"WHERE jsonb_build_array({table.values()}) IS DISTINCT FROM jsonb_build_array({stored})"
        ),
        "baseline rows that are not first": (
            f"SELECT count(*) FROM {history} b JOIN ({first}) h ON {table.same_key('b', 'h')} "
            f"WHERE b.event_id = {base} AND b.history_id <> h.history_id"
        ),
        "keys with two baseline rows": (
            f"SELECT count(*) FROM (SELECT {keys} FROM {history} h WHERE h.event_id = {base} "
            f"GROUP BY {keys} HAVING count(*) > 1) q"
        ),
        "versions of rows that are gone": (
            f"SELECT count(*) FROM ({last}) h WHERE h.history_type <> '-' "
            f"AND NOT EXISTS (SELECT FROM {rows} r WHERE {same})"
        ),
        "histories that do not begin with an insert": (f"SELECT count(*) FROM ({first}) h WHERE h.history_type <> '+'"),
    }
