"""The baseline: history of the rows that were there before the triggers, exact while other programs keep writing.

Since `recorded_from` the triggers record, and copy an old row to its baseline before it changes. So a row without
history is as it was at that moment, and needs no lock: batches in key order insert what is missing, each in one
transaction with its cursor. A run that was cut short goes on where it stopped; when no row is left the lean
trigger functions are installed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, transaction
from django.db.migrations.loader import MigrationLoader

from audit.adoption import catalog
from audit.adoption.capture import AdoptedTable, baseline_insert, baseline_values, function_v2
from audit.adoption.ledger import Ledger
from audit.adoption.locking import LOCK_TIMEOUT_MS, RETRIED, patiently
from audit.adoption.operations import GovernTable, add_triggers
from audit.capture import OPERATIONS
from audit.names import QualifiedName, literal, place, quote
from foundation.errors import Conflict, NotFound

BATCH_ROWS = 5_000
ANALYZE_AFTER = (1, 10, 100, 1000)


class NotMigrated(NotFound):
    """%(app)s has no governed table here yet. Run manage.py migrate %(app)s first."""

    code = "not_migrated"


class BaselineRunning(Conflict):
    """Another process is writing the baseline of %(table)s."""

    code = "baseline_running"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the baseline of one table is."""

    table: str
    rows: int
    seconds: float
    done: bool


def governing_operations(connection: Any, app: str) -> list[GovernTable]:
    """The newest applied operation of each governed table. Raises NotMigrated."""
    loader = MigrationLoader(connection)
    newest: dict[QualifiedName, GovernTable] = {}
    for (label, name), migration in sorted(loader.disk_migrations.items()):
        if label == app and (label, name) in loader.applied_migrations:
            newest |= {o.table: o for o in migration.operations if isinstance(o, GovernTable)}
    if not newest:
        raise NotMigrated(app=app)
    return list(newest.values())


def governed_tables(connection: Any, app: str) -> list[AdoptedTable]:
    """The app's tables as its migrations declare them. Raises NotMigrated."""
    operations = governing_operations(connection, app)
    with connection.cursor() as cursor:
        return [operation.adopted(cursor, app) for operation in operations]


def write(connection: Any, app: str, *, batch_rows: int = BATCH_ROWS) -> Iterator[Progress]:
    """Write what is missing of the app's baseline, table by table."""
    for table in governed_tables(connection, app):
        yield from _write_table(connection, app, table, batch_rows)


def _write_table(connection: Any, app: str, table: AdoptedTable, batch_rows: int) -> Iterator[Progress]:
    name = ".".join(table.table)
    if _cover_new_partitions(connection, app, table):
        _restart(connection, table)
    if _is_done(connection, table):
        patiently(connection, name, lambda cursor: _renew(cursor, table))
        yield Progress(name, 0, 0.0, True)
        return
    types = _key_types(connection, table)
    started, rows, batches = time.monotonic(), 0, 0
    while True:
        written = _batch_patiently(connection, table, types, batch_rows)
        if written is None:
            break
        rows, batches = rows + written, batches + 1
        if batches in ANALYZE_AFTER:
            _analyze(connection, table)
        yield Progress(name, rows, time.monotonic() - started, False)
    patiently(connection, name, lambda cursor: _finish(cursor, table))
    _analyze(connection, table)
    yield Progress(name, rows, time.monotonic() - started, True)


def _batch_patiently(connection: Any, table: AdoptedTable, types: list[str], batch_rows: int) -> int | None:
    """One batch; waits for a writer of the same rows in slices, so that nobody waits long for the batch."""
    pause = 0.05
    while True:
        try:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_MS}ms'")
                return _batch(cursor, table, types, batch_rows)
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) not in RETRIED:
                raise
        time.sleep(pause)
        pause = min(pause * 2, 2.0)


def _batch(cursor: Any, table: AdoptedTable, types: list[str], batch_rows: int) -> int | None:
    """Insert the missing baseline rows of the next keys and move the cursor. None: no key is left."""
    last = _claim(cursor, table)
    keys = table.key_of("r")
    bound = ", ".join(f"%s::{kind}" for kind in types)
    after = f"WHERE ({keys}) > ({bound})" if last else ""
    texts = ", ".join(f"q.{quote(column)}::text" for column in table.key)
    order = ", ".join(f"q.{quote(column)} DESC" for column in table.key)
    cursor.execute(
        f"SELECT {texts} FROM (SELECT {keys} FROM {place(table.table)} r {after} ORDER BY {keys} LIMIT {batch_rows}) q "
        f"ORDER BY {order} LIMIT 1",
        last,
    )
    upto = cursor.fetchone()
    if upto is None:
        return None
    source = f"{place(table.table)} r"
    within = f"AND ({keys}) <= ({bound})" + (f" AND ({keys}) > ({bound})" if last else "")
    cursor.execute(baseline_insert(table, baseline_values(table, source) + within), [*upto, *last])
    written = cursor.rowcount
    cursor.execute(
        "UPDATE custody.adopted_table SET baseline_cursor = %s, baseline_rows = baseline_rows + %s "
        "WHERE schema_name = %s AND table_name = %s",
        [json.dumps(upto), written, *table.table],
    )
    return int(written)


def _claim(cursor: Any, table: AdoptedTable) -> list[str]:
    """The last key done, with the table's row locked for this batch."""
    cursor.execute(
        "SELECT baseline_cursor FROM custody.adopted_table WHERE schema_name = %s AND table_name = %s "
        "FOR NO KEY UPDATE SKIP LOCKED",
        table.table,
    )
    row = cursor.fetchone()
    if row is None:
        raise BaselineRunning(table=".".join(table.table))
    return [] if row[0] is None else list(json.loads(row[0]) if isinstance(row[0], str) else row[0])


def _renew(cursor: Any, table: AdoptedTable) -> None:
    """The lean functions as this version of Custody writes them."""
    for operation in OPERATIONS:
        cursor.execute(function_v2(table, operation, baseline=False))


def _finish(cursor: Any, table: AdoptedTable) -> None:
    """Every row has history now: install the lean functions and leave one event for the whole baseline."""
    _renew(cursor, table)
    cursor.execute(
        "UPDATE custody.adopted_table SET baseline_done_at = clock_timestamp() "
        "WHERE schema_name = %s AND table_name = %s RETURNING baseline_rows, recorded_from",
        table.table,
    )
    rows, since = cursor.fetchone()
    cursor.execute("SELECT EXISTS (SELECT FROM public.audit_event WHERE id = %s)", [table.baseline_event])
    if not cursor.fetchone()[0]:
        context = {"action": "baseline", "channel": "shell", "reason": "rows that were there before adoption"}
        cursor.execute(
            f"SELECT custody.record_event(%s, %s, pg_current_xact_id(), {table.plain()}, {literal(table.entity)}, '+', "
            "%s, %s::jsonb, NULL, NULL)",
            [table.baseline_event, since, rows, json.dumps(context)],
        )


def _cover_new_partitions(connection: Any, app: str, table: AdoptedTable) -> bool:
    """Partitions created since adoption get their triggers; their rows so far need a baseline."""
    added: list[str] = []

    def step(cursor: Any) -> None:
        added[:] = add_triggers(cursor, Ledger(cursor, app, table.table), table.table)
        if added:
            for operation in OPERATIONS:
                cursor.execute(function_v2(table, operation, baseline=True))

    patiently(connection, ".".join(table.table), step)
    return bool(added)


def _restart(connection: Any, table: AdoptedTable) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE custody.adopted_table SET baseline_cursor = NULL, baseline_done_at = NULL "
            "WHERE schema_name = %s AND table_name = %s",
            table.table,
        )


def _is_done(connection: Any, table: AdoptedTable) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT baseline_done_at IS NOT NULL FROM custody.adopted_table WHERE schema_name = %s AND table_name = %s",
            table.table,
        )
        row = cursor.fetchone()
        return bool(row and row[0])


def _key_types(connection: Any, table: AdoptedTable) -> list[str]:
    with connection.cursor() as cursor:
        relations = catalog.read(cursor, table.table[0])
    relation = next(r for r in relations if r.name == table.table[1])
    return [relation.column(column).type for column in table.key]


def _analyze(connection: Any, table: AdoptedTable) -> None:
    """Fresh history has no statistics, and the anti-join would go wrong."""
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {place(table.history)}")
