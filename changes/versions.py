"""Versions of a row side by side: bit-exact comparison, and what became of each field since a change wrote it.

Aliases: `o` the row now, `a` the version the change left (after), `b` the version to bring back (before). Equality of a
type may be coarser than its value (-0 = 0, 1.0 = 1.00, '1 day' = '24 hours', json has none at all), so such columns are
compared by their record image (`*=`, what PostgreSQL's own REFRESH MATERIALIZED VIEW CONCURRENTLY compares with).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection, models

from audit.entity import SoftDeleted
from audit.names import quote
from changes.tables import Table, table_of

# Types whose operator = tells every two different values apart. Comparing those by image would cost half as much again.
EXACT = re.compile(
    r"(boolean|smallint|integer|bigint|serial|bigserial|smallserial|date|uuid|bytea|text|varchar(\(\d+\))?"
    r"|timestamp with(out)? time zone|time)$"
)
# Aliases of historical rows; all others are rows of the table itself.
VERSIONS = ("a", "b", "h", "z")
SOFT_DELETE = ("is_deleted", "deleted_at", "retention_policy", "status")


@dataclass(frozen=True, slots=True)
class Field3:
    """Columns that come back together or not at all, and what happened to them, as SQL conditions.

    touched   the change gave them another value
    moved     they are no longer what the change made them
    quiet     written by every save; never a conflict
    """

    columns: tuple[str, ...]
    touched: str
    moved: str
    quiet: bool = False


def same(model: type[SoftDeleted], columns: Iterable[str], left: str, right: str) -> str:
    """Both versions hold the same values in these columns, bit by bit."""
    exact, image = _by_kind(model, columns)
    parts = [f"{held(model, left, c)} IS NOT DISTINCT FROM {held(model, right, c)}" for c in exact]
    if image:
        parts.append(f"{_record(model, left, image)} *= {_record(model, right, image)}")
    return " AND ".join(parts) or "true"


def differ(model: type[SoftDeleted], columns: Iterable[str], left: str, right: str) -> str:
    """The opposite of `same`."""
    exact, image = _by_kind(model, columns)
    parts = [f"{held(model, left, c)} IS DISTINCT FROM {held(model, right, c)}" for c in exact]
    if image:
        parts.append(f"{_record(model, left, image)} *<> {_record(model, right, image)}")
    return f"({' OR '.join(parts) or 'false'})"


def held(model: type[SoftDeleted], alias: str, column: str) -> str:
    """A column of the table as the alias has it: versions (a, b) keep it in their history's column."""
    return f"{alias}.{quote(table_of(model).kept(column) if alias in VERSIONS else column)}"


def fields3(model: type[SoftDeleted], columns: Iterable[str]) -> tuple[Field3, ...]:
    """The fields of a three-way decision. The columns of a soft delete are one field: half of it means nothing."""
    wanted = tuple(columns)
    soft = tuple(c for c in wanted if c in SOFT_DELETE) if "is_deleted" in wanted else ()
    groups = [soft] if soft else []
    groups += [(c,) for c in wanted if c not in soft]
    quiet = quiet_columns(model)
    return tuple(Field3(g, differ(model, g, "a", "b"), differ(model, g, "o", "a"), quiet=g[0] in quiet) for g in groups)


def quiet_columns(model: type[SoftDeleted]) -> frozenset[str]:
    """Columns that every save writes anew: a later save of another field is no conflict with them."""
    fields = model._meta.local_concrete_fields
    return frozenset(str(field.column) for field in fields if getattr(field, "auto_now", False))


def recorded_columns(table: Table) -> tuple[str, ...]:
    """Columns that the history of the table holds, in the table's order."""
    untracked = set(table.model.governance.untracked)
    return tuple(
        str(field.column)
        for field in table.model._meta.local_concrete_fields
        if field.name not in untracked and not _is_virtual(field)
    )


def _is_virtual(field: Any) -> bool:
    return bool(getattr(field, "generated", False)) and not field.db_persist


def insertable_columns(table: Table) -> tuple[str, ...]:
    """Recorded columns that an INSERT may name: the database computes the others."""
    fields = table.model._meta.local_concrete_fields
    computed = {str(field.column) for field in fields if getattr(field, "generated", False)}
    if not table.model._meta.managed:  # what Django must not write (a search vector, an identity) may still be written
        with connection.cursor() as cursor:
            cursor.execute(COMPUTED, [table.name])
            computed = {row[0] for row in cursor.fetchall()}
    return tuple(column for column in recorded_columns(table) if column not in computed)


COMPUTED = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND attgenerated <> ''"
TYPES = """
SELECT t.attname, format_type(t.atttypid, t.atttypmod) FROM pg_attribute t
  JOIN pg_attribute h ON h.attrelid = %s::regclass AND h.attname = coalesce(%s::jsonb ->> t.attname::text, t.attname)
   AND NOT h.attisdropped
 WHERE t.attrelid = %s::regclass AND t.attnum > 0 AND NOT t.attisdropped AND t.atttypid <> h.atttypid
"""


def restored(table: Table, version: str = "b") -> Callable[[str], str]:
    """How a column of a version is written back. The history of an adopted table may hold a type as another one."""
    casts: dict[str, str] = {}
    if not table.model._meta.managed:
        with connection.cursor() as cursor:
            cursor.execute(TYPES, [table.history, json.dumps(table.kept_as), table.name])
            casts = dict(cursor.fetchall())
    return lambda column: held(table.model, version, column) + (f"::{casts[column]}" if column in casts else "")


def _by_kind(model: type[SoftDeleted], columns: Iterable[str]) -> tuple[list[str], list[str]]:
    fields = {str(field.column): field for field in model._meta.local_concrete_fields}
    exact: list[str] = []
    image: list[str] = []
    for column in columns:
        (exact if _is_exact(fields.get(column)) else image).append(column)
    return exact, image


def _is_exact(field: models.Field | None) -> bool:  # type: ignore[type-arg]
    if field is None or getattr(field, "db_collation", None):
        return False
    target = field.target_field if isinstance(field, models.ForeignKey) else field
    return EXACT.match((target.db_type(connection) or "").lower()) is not None


def _record(model: type[SoftDeleted], alias: str, columns: Iterable[str]) -> str:
    """A row of the columns in their history's types: an adopted table may hold `real` where its history has `double`."""
    fields = {str(field.column): field for field in model._meta.local_concrete_fields}
    typed = []
    for column in columns:
        field = fields.get(column)
        kind = field.rel_db_type(connection) if field is not None else None
        typed.append(held(model, alias, column) + (f"::{kind}" if kind else ""))
    return f"ROW({', '.join(typed)})::record"
