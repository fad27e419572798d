"""Assign: fields of the frozen rows get the values that the change names. A row that moved is left alone.

The values are read once more from the options of the change, typed, and reach PostgreSQL as texts with a cast. Columns
that every save writes anew get the time of the chunk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models

from audit import registry
from audit.names import quote
from changes import writable
from changes.effects.base import FROZEN, EffectKind, changed_or_gone
from changes.models import Change, ChangePart
from changes.obstacles import Value, parent_gone, parents, relevant, taken
from changes.states import SkipReason
from changes.tables import Table
from changes.versions import quiet_columns

# How the typed values v are joined to a frozen row r.
Source = str


def chunk_sql(change: Change, table: Table, part: ChangePart, bounds: str) -> str:
    """Set the part's columns."""
    return update_sql(table, part, bounds, source(change, table.model))


def skip_sql(change: Change, table: Table, part: ChangePart) -> str:
    """Changed or gone, or a value or a parent stands in the way."""
    return why_left(change, table, part, source(change, table.model))


def values(change: Change, part: ChangePart) -> dict[str, Any]:
    """The texts of the values."""
    return parameters(change, registry.entity(part.entity))


def source(change: Change, model: Any) -> Source:
    """Join v: the same values for every row."""
    typed = writable.assignments(model, change.options["set"])
    columns = ", ".join(f"(%(v{n})s)::{kind} AS {quote(c)}" for n, (c, (kind, _)) in enumerate(typed.items()))
    return f"CROSS JOIN (SELECT {columns}) v"


def parameters(change: Change, model: Any) -> dict[str, Any]:
    """Parameters of `source`."""
    typed = writable.assignments(model, change.options["set"])
    return {f"v{n}": text for n, (_, text) in enumerate(typed.values())}


# -- what every effect that writes given values has in common ------------------------------------------


def update_sql(table: Table, part: ChangePart, bounds: str, given: Source) -> str:
    """The statement of one chunk over rows that are there."""
    columns = tuple(part.columns)
    quiet = quiet_columns(table.model)
    sets = ", ".join(f"{quote(c)} = {now(table.model, c) if c in quiet else f'v.{quote(c)}'}" for c in columns)
    found = " OR ".join(stands for _, stands in obstacles(table, columns))
    possible = f" AND NOT ({found})" if found else ""
    return (
        f"UPDATE {table.name} o SET {sets} FROM changes_frozenrow r {given} "
        f"WHERE {FROZEN} AND {table.match()} AND {table.tenant()} AND {bounds} AND o.xmin = r.token{possible}"
    )


def why_left(change: Change, table: Table, part: ChangePart, given: Source) -> str:
    """The reason why `update_sql` left the frozen row r alone."""
    cases = " ".join(f"WHEN {stands} THEN '{reason}'" for reason, stands in obstacles(table, tuple(part.columns)))
    plain = changed_or_gone(change, table, part)
    if not cases:
        return plain
    return (
        f"coalesce((SELECT CASE WHEN o.xmin <> r.token THEN '{SkipReason.CHANGED}' {cases} "
        f"ELSE '{SkipReason.CHANGED}' END FROM (SELECT) one {given} JOIN {table.name} o ON {table.match()} "
        f"AND {table.tenant()} LIMIT 1), {plain})"
    )


def obstacles(table: Table, columns: tuple[str, ...], value: Value | None = None) -> list[tuple[SkipReason, str]]:
    """A unique value that another row holds, a parent that is deleted or not there."""
    coming = value or value_of(table.model, columns)
    found = [(SkipReason.UNIQUE, taken(table, unique, coming)) for unique in relevant(table.model, columns)]
    return found + [
        (SkipReason.PARENT, parent_gone(table, field, coming, missing=True)) for field in parents(table.model, columns)
    ]


def value_of(model: Any, columns: tuple[str, ...], row: str = "o") -> Value:
    """The value a column will hold: the given one where it is written, the row's own elsewhere."""
    given = frozenset(columns) - quiet_columns(model)
    return lambda column: f"v.{quote(column)}" if column in given else f"{row}.{quote(column)}"


def now(model: Any, column: str) -> str:
    """The time of the chunk in the column's type."""
    field = next(f for f in model._meta.local_concrete_fields if f.column == column)
    if isinstance(field, models.DateTimeField):
        return "now()"
    return "(now() AT TIME ZONE 'UTC')::date" if isinstance(field, models.DateField) else "localtime"


def with_quiet(model: Any, columns: Mapping[str, Any]) -> tuple[str, ...]:
    """The written columns, those that every save writes anew among them."""
    return (*columns, *sorted(quiet_columns(model) - frozenset(columns)))


KIND = EffectKind(chunk_sql=chunk_sql, skip_sql=skip_sql, values=values, by_range=lambda part: True)
