"""Remove: the row leaves the table for good, by the owner's function; the application's login could not do it.

The function asks for everything itself (`changes/sql/purge_v1.sql`); what it leaves alone is told apart here afterwards.
"""

from __future__ import annotations

from changes.effects.base import EffectKind
from changes.models import Change, ChangePart
from changes.states import SkipReason
from changes.tables import Table


def chunk_sql(change: Change, table: Table, part: ChangePart, bounds: str) -> str:
    """One row per row removed."""
    return "SELECT FROM custody.remove_rows(%(change)s, %(part)s, %(lo)s, %(hi)s)"


def skip_sql(change: Change, table: Table, part: ChangePart) -> str:
    """Gone, changed since, or still pointed to."""
    found = f"FROM {table.name} o WHERE {table.match()} AND {table.tenant()}"
    return (
        f"CASE WHEN NOT EXISTS (SELECT {found}) THEN '{SkipReason.GONE}' "
        f"WHEN EXISTS (SELECT {found} AND o.xmin = r.token AND o.is_deleted "
        f"AND o.deleted_at + custody.retention(o.retention_policy) <= now()) THEN '{SkipReason.DEPENDANTS}' "
        f"ELSE '{SkipReason.CHANGED}' END"
    )


KIND = EffectKind(chunk_sql=chunk_sql, skip_sql=skip_sql, by_range=lambda part: True, locked=False, archived=True)
