"""SQL of states: which version of each row a state holds, and which rows were touched between two states.

A row's version at S is its last historical row that is visible in S. “Last” is by history_id: versions of one
row are written one after the other, under its lock, and history_id follows that order; transaction ids and times
do not. From the same lock follows that the versions visible in S come before those that are not.

Everything here is text without parameters: a state's values are numbers and a checked pg_snapshot.
"""

from __future__ import annotations

from audit.names import quote
from audit.snapshots.recorded import Recorded
from audit.snapshots.state import State


def visible(state: State, alias: str = "h") -> str:
    """The historical row belongs to the state.

    An event of an earlier era is in every snapshot of a later one, and never the other way round: eras are told
    apart by event ids, and inside an era the transaction id decides.
    """
    if state.snapshot is None:
        return "true"
    event = f"{alias}.event_id"
    ended = "" if state.end_event is None else f" AND {event} < {state.end_event}"
    seen = f"pg_visible_in_snapshot({alias}.xid, '{state.snapshot}'::pg_snapshot)"
    return f"(coalesce({event}, 0) <= {state.known} OR ({seen}{ended}))"


def state_at(table: Recorded, state: State, *, tenant_id: int | None) -> str:
    """SELECT of the key's columns and the history_id of every row that existed in the state, also soft-deleted ones."""
    keys = table.keys("h")
    down = ", ".join(f"h.{quote(column.history)} DESC" for column in table.key)
    names = ", ".join(quote(column.history) for column in table.key)
    return (
        f"SELECT {names}, history_id FROM (SELECT DISTINCT ON ({keys}) {keys}, h.history_id, h.history_type "
        f"FROM {table.history} h WHERE {table.of_tenant('h', tenant_id)} AND {visible(state)} "
        f"ORDER BY {down}, h.history_id DESC) v WHERE v.history_type <> '-'"
    )


def version_at(table: Recorded, state: State, *, tenant_id: int | None, of: str) -> str:
    """Scalar subquery: the history_id of the version in the state of the (historical) row `of`; NULL: it had none.

    The version may be a removal (history_type “-”).
    """
    down = ", ".join(f"v.{quote(column.history)} DESC" for column in table.key)
    return (
        f"(SELECT v.history_id FROM {table.history} v WHERE {table.same_key('v', of)} AND "
        f"{table.of_tenant('v', tenant_id)} AND {visible(state, 'v')} ORDER BY {down}, v.history_id DESC LIMIT 1)"
    )


def touched(table: Recorded, a: State, b: State, *, tenant_id: int | None, where: str = "true") -> str:
    """SELECT of the key's columns, first_id and last_id: what was written after a and is in b, row by row.

    `a` is the earlier state. `where` narrows the historical rows h; it may name only the key's columns, for a
    version left out would hide an earlier or later one.
    """
    keys = table.keys("h")
    return (
        f"SELECT {keys}, min(h.history_id) AS first_id, max(h.history_id) AS last_id FROM {table.history} h "
        f"WHERE {table.of_tenant('h', tenant_id)} AND h.event_id > {a.known} AND NOT {visible(a)} AND {visible(b)} "
        # In key order: whoever looks for each row's version before walks along the index then.
        f"AND {where} GROUP BY {keys} ORDER BY {keys}"
    )


def touched_since(table: Recorded, state: State, *, tenant_id: int | None, where: str = "true") -> str:
    """`touched` between a state and the present."""
    return touched(table, state, State(), tenant_id=tenant_id, where=where)


def moved(table: Recorded, a: State, b: State, *, tenant_id: int | None, where: str = "true") -> str:
    """SELECT of the key's columns, before_id and after_id of every row that was touched between a and b.

    before_id is the version in `a` (NULL: none), after_id the one in `b`; either may be a removal. `a` is the
    earlier state. A row that was touched and is as before is among them.
    """
    down = ", ".join(f"v.{quote(column.history)} DESC" for column in table.key)
    return (
        f"SELECT {table.keys('t')}, v.history_id AS before_id, t.last_id AS after_id "
        f"FROM ({touched(table, a, b, tenant_id=tenant_id, where=where)}) t "
        f"LEFT JOIN LATERAL (SELECT v.history_id FROM {table.history} v WHERE {table.same_key('v', 't')} "
        f"AND {table.of_tenant('v', tenant_id)} AND v.history_id < t.first_id "
        f"ORDER BY {down}, v.history_id DESC LIMIT 1) v ON true"
    )
