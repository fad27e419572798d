"""What most programs do, so that the checker proves it can see: no lock, no token, one commit per step.

`python -m chaos --naive` puts this in the workers' place; the same checker must go red.
"""

from __future__ import annotations

import json
import os
import time

import psycopg

from chaos.checker import TABLES
from chaos.data import CONTEXT
from chaos.stage import TENANT

NAMES = {table.entity: table.name for table in TABLES}
OPEN_LANES = """
SELECT l.id, l.change_id, l.part, l.cursor, l.hi, l.rows, p.entity FROM changes_lane l
  JOIN changes_change c ON c.id = l.change_id AND c.state = 'running'
  JOIN changes_changepart p ON p.change_id = l.change_id AND p.part = l.part
 WHERE l.state = 'open' ORDER BY l.step, l.id
"""


def main() -> None:
    while True:
        try:
            with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
                while True:
                    for lane in _run(connection, OPEN_LANES):
                        _work(connection, *lane)
                    time.sleep(0.2)
        except psycopg.Error:
            time.sleep(0.2)


def _work(
    connection: psycopg.Connection, lane: int, change: int, part: int, cursor: int, hi: int, rows: int, entity: str
) -> None:
    done = 0
    limit = int(os.environ["CUSTODY_CHUNK_ROWS"])
    while True:
        ids = [
            row[0]
            for row in _run(
                connection,
                "SELECT position FROM changes_frozenrow WHERE tenant_id = 1 AND change_id = %s AND part = %s "
                "AND position > %s AND position <= %s ORDER BY position LIMIT %s",
                *(change, part, cursor, hi, limit),
            )
        ]
        if not ids:
            break
        _run(
            connection,
            f"UPDATE {NAMES[entity]} SET is_deleted = true, deleted_at = now(), status = 'archived' WHERE id = ANY(%s)",
            ids,
            change=change,
        )
        cursor, done = ids[-1], done + len(ids)
        _run(
            connection, "UPDATE changes_lane SET cursor = %s, applied = %s WHERE id = %s", cursor, min(done, rows), lane
        )
    _run(connection, "UPDATE changes_lane SET state = 'done' WHERE id = %s", lane)
    _run(
        connection,
        "UPDATE changes_change c SET state = 'done', applied = rows_total, finished_at = now() WHERE id = %s "
        "AND NOT EXISTS (SELECT FROM changes_lane l WHERE l.change_id = c.id AND l.state = 'open')",
        change,
    )


def _run(connection: psycopg.Connection, statement: str, *values: object, change: int | None = None) -> list[tuple]:
    context = {"user": 100, "person": 100, "name": "Naive", "tenant": TENANT, "channel": "chaos"}
    if change is not None:
        context["change"] = change
    with connection.transaction():
        connection.execute(CONTEXT, [json.dumps(context), str(TENANT)])
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


if __name__ == "__main__":
    main()
