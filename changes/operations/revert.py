"""The UPDATE of a revert, shared by undo and restore.

The conflict is a condition of the UPDATE itself, so the decision is made under the row's lock: a touched
column that somebody changed meanwhile is never overwritten, an untouched one stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable

from audit.names import quote
from changes.models import ChangePart
from changes.relations import governed_parents
from changes.reverting import live_constraints, taken, unchanged
from changes.states import SkipReason
from changes.tables import Table, table_of


def preceding(table: Table) -> str:
    """The version before the one a change wrote."""
    own = " AND ".join(f"h.{quote(column)} = a.{quote(column)}" for column, _ in table.key)
    return (
        f"JOIN LATERAL (SELECT h.* FROM {table.history} h WHERE {own} AND {table.tenant('h')} "
        "AND h.history_id < r.after_id ORDER BY h.history_id DESC LIMIT 1) b ON true"
    )


def named(table: Table) -> str:
    """The version the frozen row names."""
    return f"JOIN {table.history} b ON b.history_id = r.before_id"


def chunk_sql(table: Table, part: ChangePart, bounds: str, before: Callable[[Table], str]) -> str:
    """Bring back the part's columns from the version that `before` joins as b."""
    columns = tuple(part.columns)
    sets = ", ".join(f"{quote(column)} = b.{quote(column)}" for column in columns)
    return (
        f"UPDATE {table.name} o SET {sets} FROM changes_frozenrow r "
        f"JOIN {table.history} a ON a.history_id = r.after_id {before(table)} "
        "WHERE r.tenant_id = %(tenant)s AND r.change_id = %(change)s AND r.part = %(part)s "
        f"AND r.position > %(lo)s AND r.position <= %(hi)s AND {table.match()} AND {table.tenant()} "
        f"AND {bounds} AND {unchanged(columns)}{_still_possible(table, columns)}"
    )


def skip_sql(table: Table, part: ChangePart) -> str:
    """A row that is still what the change left, and still did not come back, has a value or a parent in its way."""
    columns = tuple(part.columns)
    obstacles = _obstacles(table, columns)
    if not obstacles:
        return ""
    cases = " ".join(f"WHEN {stands} THEN '{reason}'" for reason, stands in obstacles)
    why = (
        f"(SELECT CASE {cases} END FROM {table.name} o JOIN {table.history} a ON a.history_id = r.after_id "
        f"WHERE {table.match()} AND {table.tenant()} AND o.is_deleted AND {unchanged(columns)})"
    )
    return f"WHEN {why} IS NOT NULL THEN {why}"


def _still_possible(table: Table, columns: tuple[str, ...]) -> str:
    """What the freeze found possible must still be: values free, parents alive. A live row goes, and needs neither."""
    obstacles = " OR ".join(stands for _, stands in _obstacles(table, columns))
    return f" AND (NOT o.is_deleted OR NOT ({obstacles}))" if obstacles else ""


def _obstacles(table: Table, columns: tuple[str, ...]) -> list[tuple[SkipReason, str]]:
    """What can stand against a row that becomes alive: conditions over row o that are true or false, never NULL.

    Scalar subqueries on purpose: the planner keeps them as index probes per row, where an anti-join over a
    chunk would read the other table whole.
    """
    if "is_deleted" not in columns:
        return []
    found = [
        (SkipReason.UNIQUE, f"({taken(table, constraint)}) IS NOT NULL") for constraint in live_constraints(table.model)
    ]
    for field in governed_parents(table.model):
        parent = table_of(field.remote_field.model)
        gone = (
            f"(SELECT q.is_deleted FROM {parent.name} q WHERE {parent.tenant('q')} "
            f"AND q.{quote(str(field.target_field.column))} = o.{quote(str(field.column))}"
            f"{_not_coming_back(table) if parent is table else ''} LIMIT 1) IS TRUE"
        )
        found.append((SkipReason.PARENT, gone))
    return found


def _not_coming_back(table: Table) -> str:
    """A parent in the same table counts as gone only if it is not a row of this chunk or of a later one."""
    return (
        " AND NOT EXISTS (SELECT FROM changes_frozenrow x WHERE x.tenant_id = %(tenant)s AND x.change_id = %(change)s "
        f"AND x.part = %(part)s AND x.position > %(lo)s AND {table.match('q', 'x')})"
    )
