"""The columns of a change's tables, while it runs: seen at the start, compared in every chunk under the chunk's locks."""

from __future__ import annotations

from django.db import connection

from audit import registry
from changes.errors import ColumnsMissing
from changes.models import Change
from changes.tables import table_of

# {quoted table: {column: type}}
Columns = dict[str, dict[str, str]]

COLUMNS = """
SELECT t.name, a.attname, format_type(a.atttypid, a.atttypmod)
  FROM unnest(%s::text[]) t(name) JOIN pg_attribute a ON a.attrelid = to_regclass(t.name)
 WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


class SchemaDiffers(Exception):
    """A table of the running change is not what it was; the chunk is taken back."""

    def __init__(self, moved: list[str]) -> None:
        super().__init__("; ".join(moved))
        self.moved = moved


def columns_of(change: Change) -> Columns:
    """The columns as they are now: one query for all tables of the change."""
    tables = sorted({table_of(registry.entity(part.entity)).name for part in change.parts.all()})
    found: Columns = {table: {} for table in tables}
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS, [tables])
        for table, column, kind in cursor.fetchall():
            found[table][column] = kind
    return found


def compare(seen: Columns, now: Columns) -> list[str]:
    """What has changed, one phrase per column: `shop_order: + note text`. Empty when nothing has."""
    phrases = []
    for table in sorted(seen | now):
        before, after = seen.get(table, {}), now.get(table, {})
        for column in sorted(before | after):
            old, new = before.get(column), after.get(column)
            if old == new:
                continue
            sign = f"+ {column} {new}" if old is None else f"- {column}" if new is None else f"{column} {old} → {new}"
            phrases.append(f"{table}: {sign}")
    return phrases


def check(change: Change, seen: Columns) -> None:
    """Raises SchemaDiffers when the tables are no longer what was seen."""
    if seen and (moved := compare(seen, columns_of(change))):
        raise SchemaDiffers(moved)


def accept(change: Change) -> Columns:
    """The columns to go on with. Raises ColumnsMissing when one that is written or recorded is gone or of another type.

    The record keeps every column of the model, so a column that only the database has may come and go.
    """
    now, missing = columns_of(change), []
    for part in change.parts.all():
        model = registry.entity(part.entity)
        table = table_of(model).name
        seen = change.schema_seen.get(table, {})
        needed = {*part.columns, *(str(field.column) for field in model._meta.local_concrete_fields)}
        for column in sorted(needed):
            if now[table].get(column) is None:
                missing.append(f"{table}.{column}")
            elif column in seen and seen[column] != now[table][column]:
                missing.append(f"{table}.{column} {seen[column]} → {now[table][column]}")
    if missing:
        raise ColumnsMissing(entity=change.entity, missing=", ".join(dict.fromkeys(missing)))
    return now
