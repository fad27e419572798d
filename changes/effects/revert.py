"""Revert: bring a row's columns back from an earlier version, three-way per field.

The conflict is a condition of the UPDATE itself, so the decision is made under the row's lock: a touched column that
somebody changed meanwhile is never overwritten unless the rule of the change says so, an untouched one stays as it is.

`after_id` names the version the change left, the one the row must still be. The version to bring back is the one before
the first the change wrote (`revert`; `before_id` names that first one where it is not the same), or the one that
`before_id` names itself (`recall`).
"""

from __future__ import annotations

from audit.names import quote
from changes import conflicts
from changes.effects.base import FROZEN, EffectKind
from changes.models import Change, ChangePart
from changes.obstacles import Value, obstacles
from changes.states import Effect, Operation, SkipReason
from changes.tables import Table
from changes.versions import SOFT_DELETE, Field3, fields3, restored, same


def preceding(table: Table) -> str:
    """Join b, the version before the first one a change wrote."""
    own = " AND ".join(f"h.{quote(column)} = a.{quote(column)}" for column, _ in table.key)
    return (
        f"JOIN LATERAL (SELECT h.* FROM {table.history} h WHERE {own} AND {table.tenant('h')} "
        "AND h.history_id < coalesce(r.before_id, r.after_id) ORDER BY h.history_id DESC LIMIT 1) b ON true"
    )


def named(table: Table) -> str:
    """Join b, the version the frozen row names."""
    return f"JOIN {table.history} b ON b.history_id = r.before_id"


def versions(change: Change, table: Table, effect: str) -> str:
    """Join the versions a and b to the frozen rows r."""
    recall = effect == Effect.RECALL or change.operation == Operation.RESTORE
    return f"JOIN {table.history} a ON a.history_id = r.after_id {named(table) if recall else preceding(table)}"


def chunk_sql(change: Change, table: Table, part: ChangePart, bounds: str) -> str:
    """Bring back the part's columns."""
    columns = tuple(part.columns)
    chosen = conflicts.rule(change, SkipReason.CHANGED)
    sets = ", ".join(f"{quote(c)} = {value}" for c, value in assignments(table, columns, chosen).items())
    return (
        f"UPDATE {table.name} o SET {sets} FROM changes_frozenrow r {versions(change, table, part.effect)} "
        f"WHERE {FROZEN} AND {table.match()} AND {table.tenant()} "
        f"AND {bounds} AND {undisputed(table, columns, chosen)}{_still_possible(table, columns, chosen)}"
    )


def skip_sql(change: Change, table: Table, part: ChangePart) -> str:
    """Gone, changed since, or with a value or a parent in its way."""
    columns = tuple(part.columns)
    chosen = conflicts.rule(change, SkipReason.CHANGED)
    found = _obstacles(table, columns, chosen)
    cases = " ".join(f"WHEN {stands} THEN '{reason}'" for reason, stands in found)
    return (
        "coalesce((SELECT CASE "
        f"WHEN NOT ({undisputed(table, columns, chosen)}) THEN '{SkipReason.CHANGED}' {cases} "
        f"ELSE '{SkipReason.CHANGED}' END FROM {table.name} o {versions(change, table, part.effect)} "
        f"WHERE {table.match()} AND {table.tenant()} LIMIT 1), '{SkipReason.GONE}')"
    )


def simple(columns: tuple[str, ...]) -> bool:
    """Only the columns of a soft delete: one field, which every change that names it has touched."""
    return "is_deleted" in columns and set(columns) <= set(SOFT_DELETE)


def undisputed(table: Table, columns: tuple[str, ...], chosen: str) -> str:
    """The row may be brought back under the rule for rows changed since."""
    if chosen == conflicts.FORCE:
        return "true"
    if simple(columns):
        return same(table.model, columns, "o", "a")
    fields = [field for field in fields3(table.model, columns) if not field.quiet]
    if chosen == conflicts.KEEP:
        return "(" + (" OR ".join(f"({f.touched} AND NOT {f.moved})" for f in fields) or "true") + ")"
    disputed = " OR ".join(f"({field.touched} AND {field.moved})" for field in fields)
    return f"NOT ({disputed or 'false'})"


def assignments(table: Table, columns: tuple[str, ...], chosen: str) -> dict[str, str]:
    """What each column becomes; a field nobody touched stays what it is now."""
    back = restored(table)
    if simple(columns):
        return {column: back(column) for column in columns}
    return {
        column: f"CASE WHEN {_comes_back(field, chosen)} THEN {back(column)} ELSE o.{quote(column)} END"
        for field in fields3(table.model, columns)
        for column in field.columns
    }


def _comes_back(field: Field3, chosen: str) -> str:
    overwrite = chosen == conflicts.FORCE or (chosen != conflicts.KEEP and not field.quiet)
    return field.touched if overwrite else f"{field.touched} AND NOT {field.moved}"


def flips(columns: tuple[str, ...], chosen: str) -> bool:
    """What is deleted now becomes alive, and the reverse: known without looking at b."""
    return simple(columns) and chosen != conflicts.FORCE


def value_of(table: Table, columns: tuple[str, ...], chosen: str) -> Value:
    """The value a column will hold under the rule for rows changed since."""
    if flips(columns, chosen):
        return lambda column: "(NOT o.is_deleted)" if column == "is_deleted" else f"o.{quote(column)}"
    will = assignments(table, columns, chosen)
    return lambda column: f"({will[column]})" if column in will else f"o.{quote(column)}"


def _obstacles(table: Table, columns: tuple[str, ...], chosen: str) -> list[tuple[SkipReason, str]]:
    return obstacles(table, columns, value_of(table, columns, chosen), missing=not simple(columns))


def _still_possible(table: Table, columns: tuple[str, ...], chosen: str) -> str:
    """What the freeze found possible must still be: values free, parents alive."""
    found = " OR ".join(stands for _, stands in _obstacles(table, columns, chosen))
    return f" AND NOT ({found})" if found else ""


KIND = EffectKind(chunk_sql=chunk_sql, skip_sql=skip_sql)
