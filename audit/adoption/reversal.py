"""The way back is open when nothing would be lost: no history beyond an export, no row still soft-deleted."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from audit.names import place
from foundation.errors import Conflict

SETTING = "CUSTODY_UNADOPT"


class HistoryWouldBeLost(Conflict):
    """Taking %(app)s back would lose what Custody knows: %(losses)s. Export first (manage.py adopt --app %(app)s --export), or say so with CUSTODY_UNADOPT=%(app)s in the environment."""

    code = "history_would_be_lost"


@dataclass(frozen=True, slots=True)
class Loss:
    """What one table would lose."""

    table: str
    versions: int
    deleted: int

    def __str__(self) -> str:
        parts = [f"{self.versions:,} versions"] if self.versions else []
        parts += [f"{self.deleted:,} soft-deleted rows, which would be live again"] if self.deleted else []
        return f"{self.table} ({', '.join(parts)})"


def allow(cursor: Any, app: str) -> None:
    """Raises HistoryWouldBeLost, with all losses at once."""
    if os.environ.get(SETTING) == app:
        return
    losses = [loss for loss in _losses(cursor, app) if loss.versions or loss.deleted]
    if losses:
        raise HistoryWouldBeLost(app=app, losses="; ".join(str(loss) for loss in losses))


def _losses(cursor: Any, app: str) -> list[Loss]:
    cursor.execute(
        "SELECT t.schema_name, t.table_name, t.history_table, coalesce(max(e.last_history_id), 0) "
        "FROM custody.adopted_table t LEFT JOIN custody.adoption_export e "
        "ON e.app = t.app AND e.history_table = t.history_table "
        "WHERE t.app = %s AND t.recorded_from IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2",
        [app],
    )
    found = []
    for schema, table, history, exported in cursor.fetchall():
        cursor.execute(f"SELECT count(*) FROM {place(('custody', history))} WHERE history_id > %s", [exported])
        versions = cursor.fetchone()[0]
        deleted = 0
        if not exported:
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [place((schema, table))])
            if cursor.fetchone()[0]:
                cursor.execute(f"SELECT count(*) FROM {place((schema, table))} WHERE is_deleted")
                deleted = cursor.fetchone()[0]
        found.append(Loss(f"{schema}.{table}", versions, deleted))
    return found
