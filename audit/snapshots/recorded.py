"""A governed table as its record sees it: names of the table, its history, its key and its recorded columns."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connection

from audit import registry
from audit.entity import SoftDeleted
from audit.names import place, quote, split_table

TYPES = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
 WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A recorded field: its name, its label, and the (unquoted) columns that hold it."""

    name: str
    table: str
    history: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """Quoted names, and SQL fragments over an alias of the history table."""

    model: type[SoftDeleted]
    table: str
    history: str
    key: tuple[Column, ...]
    columns: tuple[Column, ...]
    has_tenant: bool

    def keys(self, alias: str) -> str:
        """The key's columns of a historical row, comma separated."""
        return ", ".join(f"{alias}.{quote(column.history)}" for column in self.key)

    def same_key(self, left: str, right: str) -> str:
        """Two historical rows are versions of one row."""
        return " AND ".join(f"{left}.{quote(c.history)} = {right}.{quote(c.history)}" for c in self.key)

    def of_tenant(self, alias: str, tenant_id: int | None) -> str:
        """The historical row is of the tenant; always true for tables without tenants."""
        return f"{alias}.tenant_id = {int(tenant_id)}" if self.has_tenant and tenant_id is not None else "true"

    def row(self, alias: str) -> str:
        """All recorded columns of a historical row as one record."""
        return f"ROW({', '.join(f'{alias}.{quote(c.history)}' for c in self.columns)})"

    def live_row(self, alias: str) -> str:
        """The same record of a row in the table itself, each column in the type that history keeps it in."""
        types = dict(column_types(self.history))
        return f"ROW({', '.join(f'{alias}.{quote(c.table)}::{types[c.history]}' for c in self.columns)})"

    def values(self) -> tuple[Column, ...]:
        """The recorded columns that are no part of the key."""
        return tuple(column for column in self.columns if column not in self.key)


@cache
def recorded(model: type[SoftDeleted]) -> Recorded:
    """The record of a governed model."""
    history: Any = registry.history_of(model)
    columns = {field.name: _column(history, field) for field in history.tracked_fields if field.column is not None}
    return Recorded(
        model=model,
        table=place(split_table(model._meta.db_table)),
        history=place(split_table(history._meta.db_table)),
        key=tuple(columns[field.name] for field in model._meta.pk_fields),
        columns=tuple(columns.values()),
        has_tenant=model.governance.tenant,
    )


def _column(history: Any, field: Any) -> Column:
    kept: Any = history._meta.get_field(field.attname if field.generated else field.name)
    return Column(name=field.name, table=field.column, history=kept.column)


def column_types(table: str) -> list[tuple[str, str]]:
    """Names and types of the columns of a (quoted) table, in order."""
    with connection.cursor() as cursor:
        cursor.execute(TYPES, [table])
        return [(name, kind) for name, kind in cursor.fetchall()]


def fingerprint(columns: list[tuple[str, str]]) -> str:
    """Hex digest over names and types of columns."""
    text = json.dumps(columns, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
