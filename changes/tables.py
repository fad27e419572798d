"""One governed table as the engine's SQL sees it: names, key, tenant, history.

Integer keys are the frozen row's `position` themselves; every other key (text, uuid, composite) is kept
as JSON beside a running number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.db import connection

from audit import registry
from audit.entity import SoftDeleted
from audit.names import place, quote, split_table

INTEGERS = ("integer", "bigint", "smallint", "serial", "bigserial", "smallserial")


@dataclass(frozen=True, slots=True)
class Way:
    """How a chunk's statement joins frozen rows to the table: planner settings, and bounds on the row itself.

    Two ranges that the planner believes to hold one row each (fresh rows, no statistics) it joins by looping over
    one inside the other: ten thousand rows a hundred million times. So a chunk's statement says how it is joined.
    """

    settings: str
    bounds: str = "true"


BY_RANGE = "SET LOCAL enable_nestloop = off; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on"
BY_KEY = Way("SET LOCAL enable_nestloop = on; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
AS_EVER = (
    "SET LOCAL enable_nestloop = DEFAULT; SET LOCAL enable_hashjoin = DEFAULT; SET LOCAL enable_mergejoin = DEFAULT"
)
SERIALS = {"serial": "integer", "bigserial": "bigint", "smallserial": "smallint"}
# Reading this many rows in key order costs about as much as one probe by key.
ROWS_PER_PROBE = 10


@dataclass(frozen=True, slots=True)
class Table:
    """Quoted names of an entity's table, and SQL fragments over the aliases o (row) and r (frozen row)."""

    model: type[SoftDeleted]
    name: str
    history: str
    plain_name: str
    key: tuple[tuple[str, str], ...]
    integer_key: bool
    has_tenant: bool
    kept_as: dict[str, str] = field(default_factory=dict)

    def match(self, row: str = "o", frozen: str = "r") -> str:
        """The row is the frozen one."""
        if self.integer_key:
            return f"{row}.{quote(self.key[0][0])} = {frozen}.position"
        return " AND ".join(
            f"{row}.{quote(column)} = ({frozen}.key->>{index})::{kind}" for index, (column, kind) in enumerate(self.key)
        )

    def match_history(self, history: str = "h", row: str = "o") -> str:
        """The historical row belongs to the row."""
        return " AND ".join(f"{history}.{quote(column)} = {row}.{quote(column)}" for column, _ in self.key)

    def kept(self, column: str) -> str:
        """The column of the history that holds a column of the table; an adopted one may have a name that is taken there."""
        return self.kept_as.get(column, column)

    def tenant(self, alias: str = "o") -> str:
        """The row is of the tenant %(tenant)s; always true for tables without tenants."""
        return f"{alias}.tenant_id = %(tenant)s" if self.has_tenant else "true"

    def position(self, alias: str = "o", base: str = "0") -> str:
        """The frozen position of a row."""
        if self.integer_key:
            return f"{alias}.{quote(self.key[0][0])}"
        return f"{base} + row_number() OVER (ORDER BY {self.order(alias)})"

    def key_json(self, alias: str = "o") -> str:
        """The frozen key of a row: NULL where the position says it all."""
        if self.integer_key:
            return "NULL::jsonb"
        return "jsonb_build_array(" + ", ".join(f"{alias}.{quote(column)}::text" for column, _ in self.key) + ")"

    def recreated(self, frozen: str = "r") -> str:
        """A row with the frozen one's key was removed after the snapshot %(snapshot)s: if there is one, it is another."""
        mine = self.match("h", frozen)
        return (
            f"EXISTS (SELECT FROM {self.history} h WHERE {mine} AND {self.tenant('h')} AND h.history_type = '-' "
            "AND NOT pg_visible_in_snapshot(h.xid, %(snapshot)s::pg_snapshot))"
        )

    def order(self, alias: str = "o") -> str:
        """Key order, in which rows are frozen, locked and changed."""
        return ", ".join(f"{alias}.{quote(column)}" for column, _ in self.key)

    def way(self, lo: int, hi: int, rows: int) -> Way:
        """Side by side in key order where `rows` frozen rows fill the range (lo, hi] well enough, else row by row."""
        if not self.integer_key or hi - lo > rows * ROWS_PER_PROBE:
            return BY_KEY
        column = f"o.{quote(self.key[0][0])}"
        return Way(BY_RANGE, f"{column} > %(lo)s AND {column} <= %(hi)s")


@cache
def table_of(model: type[SoftDeleted]) -> Table:
    """The table of a governed model."""
    schema, name = split_table(model._meta.db_table)
    history: Any = registry.history_of(model)
    fields = model._meta.pk_fields
    key = tuple((str(field.column), _kind(field)) for field in fields)
    return Table(
        model=model,
        name=place((schema, name)),
        history=place(split_table(history._meta.db_table)),
        plain_name=f"{schema}.{name}",
        key=key,
        integer_key=len(key) == 1 and key[0][1] in INTEGERS,
        has_tenant=model.governance.tenant,
        kept_as={
            c: kept for c, kept in ((str(f.column), _kept(history, f)) for f in history.tracked_fields) if c != kept
        },
    )


def _kept(history: Any, field: Any) -> str:
    kept: Any = history._meta.get_field(field.attname if getattr(field, "generated", False) else field.name)
    return str(kept.column)


def stored(kind: str) -> str:
    """The type a value of this column type is cast to: a serial is an integer with a default."""
    return SERIALS.get(kind, kind)


def _kind(field: Any) -> str:
    """The column's type for a cast."""
    kind: str = field.db_type(connection)
    return kind
