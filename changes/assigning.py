"""Freezing of rows that get given values: what already holds them is left out, what stands against a row is listed."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from audit.entity import SoftDeleted
from audit.names import quote
from changes import writable
from changes.effects import assign
from changes.errors import UniqueForSeveral
from changes.freezing import INTO, named_parameters
from changes.models import Change
from changes.obstacles import Unique, parent_gone, parents, relevant, taken
from changes.plan import PartPlan
from changes.reverting import Reverter
from changes.states import Effect, SkipReason
from changes.tables import Table, table_of
from changes.versions import differ, quiet_columns


class Assigner(Reverter):
    """Freezes the rows of an update."""

    def __init__(self, change: Change, entity: type[SoftDeleted]) -> None:
        super().__init__(change)
        self.given = assign.source(change, entity)
        self.values |= assign.parameters(change, entity)

    def freeze_update(self, rows: QuerySet[Any], entity: type[SoftDeleted]) -> None:
        """The selected rows that do not hold all the values yet. Raises UniqueForSeveral."""
        table, typed = table_of(entity), writable.assignments(entity, self.change.options["set"])
        part = self.add_part(entity, Effect.SET, assign.with_quiet(entity, typed))
        columns = [field.attname for field in entity._meta.pk_fields]
        sql, named = named_parameters(*rows.order_by().values_list(*columns).query.sql_with_params())
        names = ", ".join(quote(column) for column, _ in table.key)
        selected = f"JOIN ({sql}) AS s ({names}) ON {table.match_history('s', 'o')}"
        part.rows = self.execute(
            f"{INTO} SELECT %(tenant)s, %(change)s, {part.number}, {table.position()}, o.xmin, {table.key_json()} "
            f"FROM {table.name} o {selected} {self.given} WHERE {table.tenant()} "
            f"AND {differ(entity, typed, 'o', 'v')} ORDER BY {table.order()}",
            **named,
        )
        part.selected = self.rows(f"SELECT count(*) FROM ({sql}) s", **named)[0][0]
        self.find_conflicts(part)

    def find_conflicts(self, part: PartPlan) -> None:
        """Take rows out whose unique values are taken, and rows that would come under a row that is gone."""
        if not part.rows:
            return
        table, value = table_of(part.entity), assign.value_of(part.entity, part.columns)
        for unique in relevant(part.entity, part.columns):
            self._several(part, unique)
            self.take_out(part, SkipReason.UNIQUE, taken(table, unique, value), unique.name)
            self.take_out(part, SkipReason.UNIQUE, self._twin(part, table, unique), unique.name)
        for field in parents(part.entity, part.columns):
            self.take_out(part, SkipReason.PARENT, parent_gone(table, field, value, missing=True), field.name)

    def _several(self, part: PartPlan, unique: Unique) -> None:
        written = frozenset(part.columns) - quiet_columns(part.entity)
        if part.rows > 1 and frozenset(unique.columns) - {"tenant_id"} <= written and self._all_filled(unique):
            fields = {str(f.column): f for f in part.entity._meta.local_concrete_fields}
            names = [fields[c] for c in unique.columns if c != "tenant_id"]
            raise UniqueForSeveral(
                field=f"options.set.{names[0].name}",
                names=", ".join(str(field.verbose_name) for field in names),
                rows=part.rows,
            )

    def _all_filled(self, unique: Unique) -> bool:
        """Without a value in every column PostgreSQL holds no two rows equal."""
        columns = [c for c in unique.columns if c != "tenant_id"]
        filled = " AND ".join(f"v.{quote(c)} IS NOT NULL" for c in columns)
        return bool(self.rows(f"SELECT {filled} FROM (SELECT) one {self.given}")[0][0])

    def _twin(self, part: PartPlan, table: Table, unique: Unique) -> str:
        """Two of the rows would hold the same values; the one with the lower key gets them."""
        mine = assign.value_of(part.entity, part.columns)
        theirs = assign.value_of(part.entity, part.columns, row="t")
        same = " AND ".join(f"{theirs(c)} = {mine(c)}" for c in unique.columns)
        return (
            f"EXISTS (SELECT FROM changes_frozenrow x JOIN {table.name} t ON {table.match('t', 'x')} "
            "WHERE x.tenant_id = %(tenant)s AND x.change_id = %(change)s "
            f"AND x.part = {part.number} AND {table.tenant('t')} AND {same} AND x.position < r.position)"
        )

    def versions(self, part: PartPlan) -> str:
        """Joins of the aliases o and v to the frozen row r."""
        table = table_of(part.entity)
        return f"JOIN {table.name} o ON {table.match()} AND {table.tenant()} {self.given}"
