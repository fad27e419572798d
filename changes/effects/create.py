"""Create: a line of an imported file becomes a row, under the key that was reserved for it when it was frozen.

So a chunk that is done again adds nothing twice, and the last guard knows the key.
"""

from __future__ import annotations

from typing import Any

from audit.names import quote
from changes import writable
from changes.effects import assign, load
from changes.effects.base import FROZEN, EffectKind
from changes.import_layout import Layout
from changes.models import Change, ChangePart
from changes.obstacles import Value, parent_gone, parents, relevant, taken
from changes.states import SkipReason
from changes.tables import Table


def chunk_sql(change: Change, table: Table, part: ChangePart, bounds: str) -> str:
    """Insert the rows of one chunk whose key, values and parents are still free."""
    layout = load.layout_of(change)
    values = [inserted(layout, column) for column in part.columns]
    stands = " OR ".join([f"({key_used(table)})", *(where for _, where in obstacles(layout, tuple(part.columns)))])
    return (
        f"INSERT INTO {table.name} ({', '.join(map(quote, part.columns))}) OVERRIDING SYSTEM VALUE "
        f"SELECT {', '.join(values)} FROM changes_frozenrow r {load.LINE} {layout.typed(whole=True)} "
        f"WHERE {FROZEN} AND NOT ({stands}) ORDER BY r.position"
    )


def skip_sql(change: Change, table: Table, part: ChangePart) -> str:
    """The key is in use, or a value or a parent stands in the way."""
    layout = load.layout_of(change)
    cases = " ".join(f"WHEN {where} THEN '{reason}'" for reason, where in obstacles(layout, tuple(part.columns)))
    return (
        f"coalesce((SELECT CASE WHEN {key_used(table)} THEN '{SkipReason.REUSED}' {cases} "
        f"ELSE '{SkipReason.ERROR}' END FROM changes_importrow i {layout.typed(whole=True)} WHERE {load.OWN}), "
        f"'{SkipReason.ERROR}')"
    )


def values(change: Change, part: ChangePart) -> dict[str, Any]:
    """The texts of the defaults."""
    return load.layout_of(change).parameters()


def columns(layout: Layout) -> tuple[str, ...]:
    """Columns that the INSERT names."""
    found = list(layout.created)
    for field in layout.entity._meta.local_concrete_fields:
        column = str(field.column)
        saved = getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
        if column not in found and (saved or column == "tenant_id" or _is_numbered(layout, field)):
            found.append(column)
    return tuple(found)


def inserted(layout: Layout, column: str) -> str:
    """The value of one column of a new row."""
    if column in layout.created:
        return f"v.{quote(column)}"
    if column == "tenant_id":
        return "%(tenant)s"
    field = next(f for f in layout.entity._meta.local_concrete_fields if f.column == column)
    return "r.position" if _is_numbered(layout, field) else assign.now(layout.entity, column)


def obstacles(layout: Layout, written: tuple[str, ...]) -> list[tuple[SkipReason, str]]:
    """A unique value that a row holds, a parent that is deleted or not there."""
    value, table = value_of(layout, written), layout.table
    found = [
        (SkipReason.UNIQUE, taken(table, unique, value, own="false")) for unique in relevant(layout.entity, written)
    ]
    return found + [
        (SkipReason.PARENT, parent_gone(table, field, value, missing=True)) for field in parents(layout.entity, written)
    ]


def value_of(layout: Layout, written: tuple[str, ...]) -> Value:
    """The value a column will hold; what the database fills is not known before."""

    def value(column: str) -> str:
        if column == "is_deleted":
            return "false"
        return inserted(layout, column) if column in written else "NULL"

    return value


def key_used(table: Table) -> str:
    """A row with the key is there, alive or in the recycle bin."""
    return f"(SELECT 1 FROM {table.name} k WHERE {table.match('k', 'r')} AND {table.tenant('k')} LIMIT 1) IS NOT NULL"


def _is_numbered(layout: Layout, field: Any) -> bool:
    return field in layout.entity._meta.pk_fields and writable.is_serial(field)


KIND = EffectKind(
    there=False, chunk_sql=chunk_sql, skip_sql=skip_sql, values=values, locked=False, content=load.content
)
