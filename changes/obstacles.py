"""What can stand against a row that comes back: a unique value taken meanwhile, a parent that is gone.

Conditions over the aliases o (the row now), b (the version to bring back) and r (the frozen row), true or false, never
NULL. Scalar subqueries on purpose: the planner keeps them as index probes per row, where an anti-join over a chunk would
read the other table whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import UniqueConstraint

from audit.entity import SoftDeleted
from audit.names import quote
from changes.relations import governed_parents
from changes.states import SkipReason
from changes.tables import Table, table_of

# column -> SQL of the value it will hold
Value = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Unique:
    """Columns that are unique together, among live rows only or among all."""

    name: str
    columns: tuple[str, ...]
    live_only: bool


def uniques(model: type[SoftDeleted]) -> tuple[Unique, ...]:
    """Every unique rule of the model but its primary key; conditions other than being alive are taken as being alive."""
    column = {field.name: str(field.column) for field in model._meta.local_concrete_fields}
    column |= {field.attname: str(field.column) for field in model._meta.local_concrete_fields}
    found = [
        Unique(c.name, tuple(column[name] for name in c.fields), c.condition is not None)
        for c in model._meta.constraints
        if isinstance(c, UniqueConstraint) and c.fields
    ]
    found += [
        Unique(f"{field.name} unique", (str(field.column),), False)
        for field in model._meta.local_concrete_fields
        if field.unique and not field.primary_key
    ]
    found += [Unique(" ".join(names), tuple(column[n] for n in names), False) for names in model._meta.unique_together]
    return tuple(found)


def relevant(model: type[SoftDeleted], columns: tuple[str, ...]) -> tuple[Unique, ...]:
    """Unique rules that bringing these columns back could break."""
    alive = "is_deleted" in columns
    return tuple(u for u in uniques(model) if set(u.columns) & set(columns) or (alive and u.live_only))


def taken(table: Table, unique: Unique, value: Value, *, own: str = "") -> str:
    """Another row holds the unique values already; `own` says when t is the row itself, else its key does."""
    same = " AND ".join(f"t.{quote(c)} = {value(c)}" for c in unique.columns)
    other = own or " AND ".join(f"t.{quote(c)} = {value(c)}" for c, _ in table.key)
    live = " AND NOT t.is_deleted" if unique.live_only else ""
    gate = f"NOT {value('is_deleted')} AND " if unique.live_only else ""
    return f"({gate}(SELECT 1 FROM {table.name} t WHERE {table.tenant('t')}{live} AND {same} AND NOT ({other}) LIMIT 1) IS NOT NULL)"


def parents(model: type[SoftDeleted], columns: tuple[str, ...]) -> tuple[Any, ...]:
    """Links whose parent must be alive: all of them where the row becomes alive, else those that come back."""
    alive = "is_deleted" in columns
    return tuple(field for field in governed_parents(model) if alive or str(field.column) in columns)


def parent_gone(table: Table, field: Any, value: Value, *, back: str = "false", missing: bool = False) -> str:
    """The parent is deleted and does not come `back` (a condition on it, q), while the row will be alive; or, with
    `missing`, it is not there at all, which an archived row cannot do with either.
    """
    parent = table_of(field.remote_field.model)
    link, archived = value(str(field.column)), value("is_deleted")
    q = f"FROM {parent.name} q WHERE {parent.tenant('q')} AND q.{quote(str(field.target_field.column))} = {link}"
    if missing:
        fits = f"({archived} OR NOT q.is_deleted OR {back})"
        return f"({link} IS NOT NULL AND (SELECT 1 {q} AND {fits} LIMIT 1) IS NULL)"
    return f"(NOT {archived} AND (SELECT q.is_deleted {q} AND NOT ({back}) LIMIT 1) IS TRUE)"


def obstacles(
    table: Table, columns: tuple[str, ...], value: Value, *, missing: bool = False, adds: bool = False
) -> list[tuple[SkipReason, str]]:
    """Everything that can stand against a row, looked at once more when its chunk runs.

    `missing`: links come back, perhaps to rows that are no longer there. `adds`: the rows themselves are not there yet.
    """
    found = [(SkipReason.UNIQUE, taken(table, unique, value)) for unique in relevant(table.model, columns)]
    for field in parents(table.model, columns):
        back = "false"
        if table_of(field.remote_field.model) is table:
            if adds:
                continue  # added together; links are set when every row is there, and the foreign key sees to the rest
            back = _still_to_come(table)
        found.append((SkipReason.PARENT, parent_gone(table, field, value, back=back, missing=missing or adds)))
    return found


def _still_to_come(table: Table) -> str:
    """A parent in the same table may be a row of this chunk or of a later one."""
    return (
        "EXISTS (SELECT FROM changes_frozenrow x WHERE x.tenant_id = %(tenant)s AND x.change_id = %(change)s "
        f"AND x.part = %(part)s AND x.position > %(lo)s AND {table.match('q', 'x')})"
    )
