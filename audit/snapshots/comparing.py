"""What differs between two states of an entity: only in one, only in the other, or in both and not the same.

Only rows that were touched between the states are looked at; a soft-deleted row counts as not there. Values are
compared by their image (`*<>`), so json spacing, −0 and the scale of a numeric are differences. Sums and pages
are made in SQL; a selection never comes into Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from audit.entity import SoftDeleted
from audit.names import literal, quote
from audit.snapshots import sql
from audit.snapshots.errors import UnknownDifference
from audit.snapshots.recorded import Column, Recorded, recorded
from audit.snapshots.state import State, require_recorded

ONLY_A, ONLY_B, CHANGED = "only_a", "only_b", "changed"
CLASSES = (ONLY_A, ONLY_B, CHANGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Rows per class, and how many changed rows differ in each field (fields without any left out)."""

    only_a: int
    only_b: int
    changed: int
    fields: dict[str, int]

    @property
    def rows(self) -> int:
        return self.only_a + self.only_b + self.changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One row that differs: its key, its class, and both versions by history_id (None where there is none)."""

    key: tuple[Any, ...]
    kind: str
    fields: tuple[str, ...]
    a_id: int | None
    b_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two states of one entity, in the order they were asked for; either may be the earlier one.

    `among` is SQL that yields keys (in the key's order) with its parameters; other rows are left out.
    Raises BeforeRecording.
    """

    model: type[SoftDeleted]
    a: State
    b: State
    tenant_id: int | None
    among: tuple[str, Sequence[Any]] | None = None

    def __post_init__(self) -> None:
        for state in (self.a, self.b):
            require_recorded(self.model, state, whole=False)

    def totals(self) -> Totals:
        """The sums. Reads what was touched between the states, once."""
        table = recorded(self.model)
        values = table.values()
        sums = [f"count(*) FILTER (WHERE k.kind = '{kind}')" for kind in CLASSES]
        sums += [f"count(*) FILTER (WHERE k.kind = '{CHANGED}' AND {_differs(column)})" for column in values]
        source, parameters = self._source(table, after=None)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {_escaped(', '.join(sums))} {source}", parameters)
            only_a, only_b, changed, *counts = cursor.fetchone()
        named = zip((column.name for column in values), counts, strict=True)
        return Totals(only_a=only_a, only_b=only_b, changed=changed, fields={n: c for n, c in named if c})

    def page(
        self, *, after: Sequence[Any] | None = None, limit: int, kind: str = "", field: str = ""
    ) -> list[Difference]:
        """The next rows in key order behind the key `after`; of one class, and with one differing field, if named.

        Raises UnknownDifference.
        """
        table = recorded(self.model)
        where = _wanted(table, kind, field)
        source, parameters = self._source(table, after=after)
        names = ", ".join(f"CASE WHEN {_differs(c)} THEN {literal(c.name)} END" for c in table.values())
        fields = f"CASE WHEN k.kind = '{CHANGED}' THEN array_remove(ARRAY[{names}]::text[], NULL) ELSE '{{}}' END"
        first, second = ("b", "a") if self._is_reversed else ("a", "b")
        shown = f"k.kind, {fields}, {first}.history_id, {second}.history_id, {table.keys('t')}"
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {_escaped(shown)} {source} WHERE {_escaped(where)} ORDER BY {_escaped(table.keys('t'))} LIMIT %s",
                [*parameters, limit],
            )
            return [
                Difference(key=tuple(key), kind=found, fields=tuple(names), a_id=a_id, b_id=b_id)
                for found, names, a_id, b_id, *key in cursor.fetchall()
            ]

    @property
    def _is_reversed(self) -> bool:
        return self.a.order() > self.b.order()

    def _source(self, table: Recorded, *, after: Sequence[Any] | None) -> tuple[str, list[Any]]:
        """FROM clause: touched rows t with their earlier version a, their later version b and their class k.kind."""
        early, late = (self.b, self.a) if self._is_reversed else (self.a, self.b)
        where, parameters = self._narrow(table, after)
        touched = _escaped(sql.touched(table, early, late, tenant_id=self.tenant_id, where="{where}"))
        down = ", ".join(f"v.{quote(column.history)} DESC" for column in table.key)
        joined = (
            f"JOIN {table.history} b ON b.history_id = t.last_id AND b.event_id > {early.known} "
            f"LEFT JOIN LATERAL (SELECT v.* FROM {table.history} v WHERE {table.same_key('v', 't')} "
            f"AND {table.of_tenant('v', self.tenant_id)} AND v.history_id < t.first_id "
            f"ORDER BY {down}, v.history_id DESC LIMIT 1) a ON true "
            f"CROSS JOIN LATERAL ({self._kind(table)} OFFSET 0) k"
        )
        return f"FROM ({touched.replace('{where}', where)}) t {_escaped(joined)}", parameters

    def _narrow(self, table: Recorded, after: Sequence[Any] | None) -> tuple[str, list[Any]]:
        """Conditions on the key, with placeholders."""
        keys, conditions, parameters = _escaped(table.keys("h")), ["true"], []
        if after is not None:
            conditions.append(f"({keys}) > ({', '.join('%s' for _ in after)})")
            parameters += list(after)
        if self.among is not None:
            conditions.append(f"({keys}) IN ({self.among[0]})")
            parameters += list(self.among[1])
        return " AND ".join(conditions), parameters

    def _kind(self, table: Recorded) -> str:
        """The class of a touched row, NULL where nothing differs. OFFSET 0 keeps it from being computed per sum."""
        before = "coalesce(a.history_type <> '-' AND NOT a.is_deleted, false)"
        after = "(b.history_type <> '-' AND NOT b.is_deleted)"
        gone, come = (ONLY_B, ONLY_A) if self._is_reversed else (ONLY_A, ONLY_B)
        old, new = (", ".join(f"{side}.{quote(c.history)}" for c in table.values()) for side in "ab")
        return (
            f"SELECT CASE WHEN {before} AND {after} THEN CASE WHEN ROW({old})::record *<> ROW({new})::record THEN '{CHANGED}' END "
            f"WHEN {before} THEN '{gone}' WHEN {after} THEN '{come}' END AS kind"
        )


def _differs(column: Column) -> str:
    # Two bare ROW() would be compared column by column with an operator that single values do not have.
    return f"ROW(a.{quote(column.history)})::record *<> ROW(b.{quote(column.history)})::record"


def _wanted(table: Recorded, kind: str, field: str) -> str:
    conditions = ["k.kind IS NOT NULL"]
    if kind:
        if kind not in CLASSES:
            raise UnknownDifference(field="kind", value=kind[:40], known=", ".join(CLASSES))
        conditions.append(f"k.kind = '{kind}'")
    if field:
        column = next((c for c in table.values() if c.name == field), None)
        if column is None:
            known = ", ".join(c.name for c in table.values())
            raise UnknownDifference(field="changed", value=field[:60], known=known)
        conditions += [f"k.kind = '{CHANGED}'", _differs(column)]
    return " AND ".join(conditions)


def _escaped(text: str) -> str:
    """Text of a statement that has placeholders: a column's name may hold a percent sign."""
    return text.replace("%", "%%")
