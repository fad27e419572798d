"""Archive: the row goes to the recycle bin. The token is a condition: a row that moved is left alone."""

from __future__ import annotations

from audit.entity import ARCHIVED
from audit.names import literal
from changes.effects.base import FROZEN, EffectKind
from changes.models import Change, ChangePart
from changes.tables import Table


def chunk_sql(change: Change, table: Table, part: ChangePart, bounds: str) -> str:
    """Set the columns of a soft delete together."""
    return (
        f"UPDATE {table.name} o SET {_archived(table)} FROM changes_frozenrow r "
        f"WHERE {FROZEN} AND {table.match()} AND {table.tenant()} AND {bounds} AND o.xmin = r.token"
    )


def _archived(table: Table) -> str:
    governance = table.model.governance
    sets = ["is_deleted = true", "deleted_at = now()", f"retention_policy = {literal(governance.retention)}"]
    if governance.status:
        sets.append(f"status = {literal(ARCHIVED)}")
    return ", ".join(sets)


KIND = EffectKind(chunk_sql=chunk_sql, by_range=lambda part: True)
