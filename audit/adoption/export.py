"""Exports the history of an adopted app to files, so that the way back loses nothing."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from audit.adoption import ledger
from audit.names import place
from foundation.errors import NotFound


class NothingAdopted(NotFound):
    """No table is adopted under the name %(app)s in this database."""

    code = "nothing_adopted"


def export(connection: Any, app: str) -> Iterator[str]:
    """Write each history table as compressed CSV under CUSTODY_HOME/exports and note how far it went."""
    directory = Path(settings.CUSTODY_HOME) / "exports" / f"{app}-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    tables = _history_tables(connection, app)
    directory.mkdir(parents=True)
    for history in tables:
        file = directory / f"{history}.csv.gz"
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute(f"SELECT count(*), coalesce(max(history_id), 0) FROM {place(('custody', history))}")
            rows, last = cursor.fetchone()
            _copy(cursor, history, file)
            cursor.execute(
                "INSERT INTO custody.adoption_export (app, history_table, last_history_id, file) VALUES (%s, %s, %s, %s)",
                [app, history, last, str(file)],
            )
        yield f"{file}: {rows:,} versions"


def _copy(cursor: Any, history: str, file: Path) -> None:
    sql = f"COPY (SELECT * FROM {place(('custody', history))} ORDER BY history_id) TO STDOUT WITH (FORMAT csv, HEADER)"
    with gzip.open(file, "wb", compresslevel=6) as target, cursor.copy(sql) as rows:
        for block in rows:
            target.write(block)


def _history_tables(connection: Any, app: str) -> list[str]:
    with connection.cursor() as cursor:
        if ledger.exists(cursor):
            cursor.execute("SELECT history_table FROM custody.adopted_table WHERE app = %s ORDER BY 1", [app])
            found = [name for (name,) in cursor.fetchall()]
            if found:
                return found
    raise NothingAdopted(app=app)
