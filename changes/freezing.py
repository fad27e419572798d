"""Freezing: INSERT … SELECT of every row a change will touch, with the token it has now.

All statements run in one REPEATABLE READ transaction (or with the rows locked, see `Freezer.lock`), in key
order. Nothing is loaded into Python but counts.
"""

from __future__ import annotations

import re
from itertools import count
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from audit.entity import SoftDeleted
from audit.names import quote
from changes.plan import PartPlan, Protected
from changes.relations import Dependant, Rule, dependants
from changes.states import Effect
from changes.tables import Table, table_of

INTO = "INSERT INTO changes_frozenrow (tenant_id, change_id, part, position, token, key) "
FROZEN = "changes_frozenrow {alias} ON {alias}.tenant_id = %(tenant)s AND {alias}.change_id = %(change)s AND {alias}.part = {part}"
# From here on a nested loop over frozen rows costs more than a hash join, and fresh rows have no statistics.
MANY = 2_000
WORK_MEM = "256MB"


class Freezer:
    """Freezes the closure of one selection for one change."""

    def __init__(self, *, tenant_id: int, change_id: int) -> None:
        self.values: dict[str, Any] = {"tenant": tenant_id, "change": change_id}
        self.parts: list[PartPlan] = []
        self._numbers = count()

    def add_part(self, entity: type[SoftDeleted], effect: Effect, columns: tuple[str, ...], **more: Any) -> PartPlan:
        part = PartPlan(number=next(self._numbers), entity=entity, effect=effect, columns=columns, **more)
        self.parts.append(part)
        return part

    def part_of(self, entity: type[SoftDeleted], effect: Effect) -> PartPlan | None:
        return next((p for p in self.parts if p.entity is entity and p.effect is effect), None)

    def execute(self, sql: str, hint_rows: int = 0, **more: Any) -> int:
        """Run one statement; return its row count."""
        with connection.cursor() as cursor:
            nested = "off" if hint_rows > MANY else "on"
            cursor.execute(f"SET LOCAL enable_nestloop = {nested}; SET LOCAL work_mem = '{WORK_MEM}'")
            cursor.execute(sql, {**self.values, **more})
            return int(cursor.rowcount)

    def rows(self, sql: str, **more: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(sql, {**self.values, **more})
            return list(cursor.fetchall())

    # -- the selection itself ---------------------------------------------------------------------

    def freeze_selection(self, rows: QuerySet[Any], part: PartPlan) -> None:
        """Freeze the rows of a queryset of the part's entity."""
        table = table_of(part.entity)
        alias = connection.ops.quote_name(part.entity._meta.db_table)
        picked = rows.order_by().annotate(custody_token=RawSQL(f"{alias}.xmin", ()))
        columns = [field.attname for field in part.entity._meta.pk_fields]
        sql, params = picked.values_list(*columns, "custody_token").query.sql_with_params()
        names = ", ".join(quote(column) for column, _ in table.key)
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL work_mem = '{WORK_MEM}'")
            cursor.execute(
                f"{INTO} SELECT %s, %s, %s, {table.position()}, o.token, {table.key_json()} "
                f"FROM ({sql}) AS o ({names}, token) ORDER BY {table.order()}",
                [self.values["tenant"], self.values["change"], part.number, *params],
            )
            part.rows += cursor.rowcount
        part.selected = part.rows

    # -- the closure ------------------------------------------------------------------------------

    def follow(self, *, cascade_also: frozenset[str]) -> list[Protected]:
        """Freeze dependants of everything frozen so far; return what stands in the way.

        Tables are walked breadth first. One part per table and effect; a table that points to itself, or
        a cycle, is walked until no row is new.
        """
        queue = [part for part in self.parts if part.effect is Effect.DELETE]
        while queue:
            part = queue.pop(0)
            for dependant in dependants(part.entity, cascade_also=cascade_also):
                if dependant.rule is Rule.CASCADE:
                    child = self._cascade(part, dependant)
                    if child is not None and child not in queue:
                        queue.append(child)
        self._clear_links(cascade_also)
        return self._protected(cascade_also)

    def _cascade(self, part: PartPlan, dependant: Dependant) -> PartPlan | None:
        """Freeze the children of one part; return their part when any was new."""
        table = table_of(dependant.child)
        child = self.part_of(dependant.child, Effect.DELETE)
        fresh = child is None
        if child is None:
            child = self.add_part(
                dependant.child,
                Effect.DELETE,
                delete_columns(dependant.child),
                depth=part.depth + 1,
                via=dependant.name,
            )
        new = self.execute(
            f"{INTO} SELECT %(tenant)s, %(change)s, {child.number}, {table.position(base=str(child.rows))}, o.xmin, "
            f"{table.key_json()} FROM {table.name} o {parent_join(part, dependant)} "
            f"WHERE {table.tenant()} AND NOT o.is_deleted AND {self._not_frozen(child, table)} "
            f"ORDER BY {table.order()} ON CONFLICT DO NOTHING",
            hint_rows=part.rows,
        )
        if fresh and not new:
            self.parts.remove(child)
            return None
        child.rows += new
        return child if new else None

    def _not_frozen(self, part: PartPlan, table: Table, row: str = "o") -> str:
        if part.rows == 0:
            return "true"
        return (
            "NOT EXISTS (SELECT FROM changes_frozenrow x WHERE x.tenant_id = %(tenant)s AND "
            f"x.change_id = %(change)s AND x.part = {part.number} AND {table.match(row, 'x')})"
        )

    def _clear_links(self, cascade_also: frozenset[str]) -> None:
        """One part per table whose links to frozen rows are cleared; rows that go anyway stay out of it."""
        for part in [p for p in self.parts if p.effect is Effect.DELETE]:
            for dependant in dependants(part.entity, cascade_also=cascade_also):
                if dependant.rule is Rule.CLEAR:
                    self._clear(part, dependant)

    def _clear(self, part: PartPlan, dependant: Dependant) -> None:
        table = table_of(dependant.child)
        cleared = self.part_of(dependant.child, Effect.CLEAR)
        fresh = cleared is None
        if cleared is None:
            cleared = self.add_part(dependant.child, Effect.CLEAR, (), depth=part.depth + 1, via=dependant.name)
        going = self.part_of(dependant.child, Effect.DELETE)
        keep = "true" if going is None else self._not_frozen(going, table)
        new = self.execute(
            f"{INTO} SELECT %(tenant)s, %(change)s, {cleared.number}, {table.position(base=str(cleared.rows))}, o.xmin, "
            f"{table.key_json()} FROM {table.name} o {parent_join(part, dependant)} "
            f"WHERE {table.tenant()} AND NOT o.is_deleted AND {keep} AND {self._not_frozen(cleared, table)} "
            f"ORDER BY {table.order()} ON CONFLICT DO NOTHING",
            hint_rows=part.rows,
        )
        if fresh and not new:
            self.parts.remove(cleared)
            return
        cleared.rows += new
        if dependant.field.column not in cleared.columns:
            cleared.columns = (*cleared.columns, dependant.field.column)

    def _protected(self, cascade_also: frozenset[str]) -> list[Protected]:
        found = []
        for part in [p for p in self.parts if p.effect is Effect.DELETE]:
            for dependant in dependants(part.entity, cascade_also=cascade_also):
                if dependant.rule is Rule.PROTECT:
                    found += self._stopping(part, dependant)
        return found

    def _stopping(self, part: PartPlan, dependant: Dependant) -> list[Protected]:
        """Live children of a protecting relation that do not go along."""
        table = table_of(dependant.child)
        going = self.part_of(dependant.child, Effect.DELETE)
        keep = "true" if going is None else self._not_frozen(going, table)
        key = " || '/' || ".join(f"o.{quote(column)}::text" for column, _ in table.key)
        rows = self.rows(
            f"SELECT count(*), (array_agg({key}))[1:5] FROM {table.name} o {parent_join(part, dependant)} "
            f"WHERE {table.tenant()} AND NOT o.is_deleted AND {keep}"
        )
        count, sample = rows[0]
        if not count:
            return []
        return [Protected(dependant.child._meta.label_lower, dependant.name, count, tuple(sample or ()))]


def parent_join(part: PartPlan, dependant: Dependant, frozen: str = "p") -> str:
    """Join children o to the frozen rows of their parents."""
    parent = table_of(part.entity)
    on = FROZEN.format(alias=frozen, part=part.number)
    if dependant.points_to_key() and parent.integer_key:
        return f"JOIN {on} AND {frozen}.position = o.{dependant.column()}"
    return (
        f"JOIN {parent.name} parent ON parent.{dependant.target_column()} = o.{dependant.column()} "
        f"AND {parent.tenant('parent')} JOIN {on} AND {parent.match('parent', frozen)}"
    )


def named_parameters(sql: str, params: tuple[Any, ...]) -> tuple[str, dict[str, Any]]:
    """Django's positional placeholders as named ones, to go into a larger statement."""
    numbers = count()
    named = re.sub(r"%(s|%)", lambda found: f"%(p{next(numbers)})s" if found[1] == "s" else "%%", sql)
    return named, {f"p{index}": value for index, value in enumerate(params)}


def delete_columns(model: type[SoftDeleted]) -> tuple[str, ...]:
    """Columns that a soft delete sets together."""
    columns = ("is_deleted", "deleted_at", "retention_policy")
    return (*columns, "status") if model.governance.status else columns
