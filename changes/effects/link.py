"""Link: a row added again gets its links to rows of its own table back, now that all of them are there."""

from __future__ import annotations

from audit.names import quote
from changes.effects.base import FROZEN, EffectKind
from changes.models import Change, ChangePart
from changes.tables import Table
from changes.versions import restored


def chunk_sql(change: Change, table: Table, part: ChangePart, bounds: str) -> str:
    """Set the links from the version that was added, where they are still empty."""
    back = restored(table)
    sets = ", ".join(f"{quote(c)} = {back(c)}" for c in part.columns)
    empty = " AND ".join(f"o.{quote(c)} IS NULL" for c in part.columns)
    return (
        f"UPDATE {table.name} o SET {sets} FROM changes_frozenrow r "
        f"JOIN {table.history} b ON b.history_id = r.before_id "
        f"WHERE {FROZEN} AND {table.match()} AND {table.tenant()} AND {bounds} AND {empty}"
    )


KIND = EffectKind(there=False, chunk_sql=chunk_sql)
