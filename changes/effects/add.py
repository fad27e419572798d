"""Add: a row that is not there comes back under its old key, from the version that `before_id` names.

Links of the table to itself are left empty where they may be, and set by a part of their own when every row is there.
"""

from __future__ import annotations

from django.db import models

from audit.names import quote
from changes.effects.base import FROZEN, EffectKind
from changes.models import Change, ChangePart
from changes.obstacles import Value, obstacles
from changes.states import SkipReason
from changes.tables import Table
from changes.versions import held, restored


def chunk_sql(change: Change, table: Table, part: ChangePart, bounds: str) -> str:
    """Insert the rows of one chunk whose key, values and parents are still free."""
    columns = tuple(part.columns)
    later = self_links(table)
    back = restored(table)
    values = ", ".join("NULL" if c in later else back(c) for c in columns)
    return (
        f"INSERT INTO {table.name} ({', '.join(map(quote, columns))}) OVERRIDING SYSTEM VALUE SELECT {values} "
        f"FROM changes_frozenrow r JOIN {table.history} b ON b.history_id = r.before_id "
        f"WHERE {FROZEN} AND {table.tenant('b')} AND NOT ({key_reused(table)}){_possible(table, columns)} ORDER BY r.position"
    )


def skip_sql(change: Change, table: Table, part: ChangePart) -> str:
    """The key is in use again, or a value or a parent stands in the way."""
    found = obstacles(table, tuple(part.columns), value_of(table), adds=True)
    cases = " ".join(f"WHEN {stands} THEN '{reason}'" for reason, stands in found)
    return (
        f"(SELECT CASE WHEN {key_reused(table)} THEN '{SkipReason.REUSED}' {cases} ELSE '{SkipReason.CHANGED}' END "
        f"FROM {table.history} b WHERE b.history_id = r.before_id)"
    )


def self_links(table: Table) -> tuple[str, ...]:
    """Columns that point to another row of the same table and may be empty."""
    return tuple(
        str(field.column)
        for field in table.model._meta.local_fields
        if isinstance(field, models.ForeignKey) and field.null and field.remote_field.model is table.model
    )


def key_reused(table: Table) -> str:
    """A row with the key is there, alive or in the recycle bin."""
    return (
        f"(SELECT 1 FROM {table.name} o WHERE {table.match_history('b', 'o')} AND {table.tenant()} LIMIT 1) IS NOT NULL"
    )


def value_of(table: Table) -> Value:
    """Every value comes from the version."""
    return lambda column: held(table.model, "b", column)


def _possible(table: Table, columns: tuple[str, ...]) -> str:
    found = " OR ".join(stands for _, stands in obstacles(table, columns, value_of(table), adds=True))
    return f" AND NOT ({found})" if found else ""


KIND = EffectKind(there=False, chunk_sql=chunk_sql, skip_sql=skip_sql, locked=False)
