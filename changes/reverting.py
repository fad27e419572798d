"""Freezing of rows that go back to an earlier version, and what stands against each: listed, and left out.

A frozen row of a revert names the version the change left (`after_id`) and, where it needs naming, the version to bring
back or the first one the change wrote (`before_id`); see `changes.effects.revert`.
"""

from __future__ import annotations

from typing import Any

from audit.entity import SoftDeleted
from audit.names import quote
from changes import conflicts
from changes.effects import add, revert
from changes.freezing import MANY, Freezer
from changes.models import Change
from changes.obstacles import Value, parent_gone, parents, relevant, taken
from changes.plan import PartPlan, Plan
from changes.relations import dependants
from changes.states import Effect, SkipReason
from changes.tables import Table, table_of
from changes.versions import recorded_columns

INTO = "INSERT INTO changes_frozenrow (tenant_id, change_id, part, position, token, key, before_id, after_id) "
SKIP = "INSERT INTO changes_skippedrow (tenant_id, change_id, part, position, key, reason, detail) "


class Reverter(Freezer):
    """Freezes the rows of an undo, a restore or a rollback for one change."""

    def __init__(self, change: Change) -> None:
        super().__init__(tenant_id=change.tenant_id, change_id=change.pk)
        self.change = change
        self.lost: list[conflicts.Lost] = []
        self.scope: dict[str, tuple[str, ...]] = {}

    def plan(self) -> Plan:
        """The parts that have something to do or to say. Raises ConflictsFound where a rule says stop."""
        conflicts.refuse_aborting(self.change)
        conflicts.refuse_lost(self.change, self.lost)
        plan = Plan(parts=[part for part in self.parts if part.rows or part.conflicts])
        plan.lost = tuple((lost.entity, lost.column) for lost in self.lost)
        plan.scope = tuple(self.scope.items())
        if conflicts.forced(self.change):
            plan.approvals_least = 1
        return plan

    def known_columns(self, entity: type[SoftDeleted], columns: tuple[str, ...]) -> tuple[str, ...]:
        """The columns under their present names; those that are gone are remembered as lost."""
        present = recorded_columns(table_of(entity))
        renamed = entity.governance.renamed
        mapped = tuple(renamed.get(column, column) for column in columns)
        gone = [column for column, now in zip(columns, mapped, strict=True) if now not in present]
        self.lost += [conflicts.Lost(entity._meta.label_lower, column) for column in gone]
        return tuple(column for column in mapped if column in present)

    def offer(self, entity: type[SoftDeleted], columns: tuple[str, ...]) -> tuple[str, ...]:
        """Remember what was written of a table, before anything narrows it."""
        label = entity._meta.label_lower
        self.scope[label] = tuple(dict.fromkeys((*self.scope.get(label, ()), *columns)))
        return columns

    # -- conflicts ----------------------------------------------------------------------------------

    def find_conflicts(self, part: PartPlan) -> None:
        """Take rows out whose values are taken, whose key is in use again, or that others hang on."""
        if not part.rows:
            return
        table = table_of(part.entity)
        if part.effect is Effect.DELETE:
            return  # what hangs on them is known when every part is frozen: `hung_on`
        if part.effect is Effect.ADD:
            self.take_out(part, SkipReason.REUSED, add.key_reused(table))
        value, gate = self._value(part), self._gate(part)
        for unique in relevant(part.entity, part.columns):
            self.take_out(part, SkipReason.UNIQUE, gate + taken(table, unique, value), unique.name)
            if part.effect is Effect.ADD or unique.live_only:
                self.take_out(part, SkipReason.UNIQUE, gate + self._twins(part, table, unique.columns), unique.name)

    def _twins(self, part: PartPlan, table: Table, columns: tuple[str, ...]) -> str:
        """Two frozen rows that would come back with the same value: the later one wins."""
        if part.effect is Effect.ADD:
            twin = f"FROM changes_frozenrow x JOIN {table.history} t ON t.history_id = x.before_id"
            match, order = "true", "x.before_id > r.before_id"
        else:
            twin, match = f"FROM {table.name} t JOIN changes_frozenrow x ON {table.match('t', 'x')}", table.tenant("t")
            order = "x.after_id > r.after_id"
        value = self._value(part)
        kept = table.kept if part.effect is Effect.ADD else str
        same = " AND ".join(f"t.{quote(kept(column))} = {value(column)}" for column in columns)
        return (
            f"EXISTS (SELECT {twin} WHERE x.tenant_id = %(tenant)s AND x.change_id = %(change)s "
            f"AND x.part = {part.number} AND {match} AND {same} AND {order})"
        )

    def hung_on(self, part: PartPlan) -> None:
        """Rows that would be archived, and on which live rows hang that do not go along."""
        for dependant in dependants(part.entity):
            child = table_of(dependant.child)
            going = self.part_of(dependant.child, Effect.DELETE)
            stays = "true" if going is None else self._not_frozen(going, child, row="c")
            hangs = (
                f"EXISTS (SELECT FROM {child.name} c WHERE {child.tenant('c')} AND NOT c.is_deleted "
                f"AND c.{dependant.column()} = o.{dependant.target_column()} AND {stays})"
            )
            self.take_out(part, SkipReason.DEPENDANTS, hangs, dependant.name)

    def parents_gone(self) -> None:
        """Rows whose parent is deleted, or not there, and does not come back with them."""
        for part in self.parts:
            if not part.rows or part.effect in (Effect.DELETE, Effect.LINK):
                continue
            table, adds = table_of(part.entity), part.effect is Effect.ADD
            for field in parents(part.entity, part.columns):
                parent = table_of(field.remote_field.model)
                back = self._coming_back(field.remote_field.model)
                if not back and not adds and not self._any_deleted(parent):
                    continue
                comes = " OR ".join(f"NOT {self._not_frozen(one, parent, row='q')}" for one in back) or "false"
                gone = parent_gone(table, field, self._value(part), back=f"({comes})", missing=adds)
                for one in back:
                    if adds and one.effect is Effect.ADD:
                        gone = f"({gone} AND NOT {self._is_added(part, field, one)})"
                self.take_out(part, SkipReason.PARENT, self._gate(part) + gone, field.name)

    def _is_added(self, part: PartPlan, field: Any, back: PartPlan) -> str:
        """The missing parent is one of the rows this change adds."""
        parent = table_of(back.entity)
        target, link = str(field.target_field.column), self._value(part)(str(field.column))
        return (
            f"EXISTS (SELECT FROM changes_frozenrow x JOIN {parent.history} q ON q.history_id = x.before_id "
            f"WHERE x.tenant_id = %(tenant)s AND x.change_id = %(change)s AND x.part = {back.number} "
            f"AND q.{quote(parent.kept(target))} = {link})"
        )

    def _any_deleted(self, parent: Table) -> bool:
        return bool(self.rows(f"SELECT 1 FROM {parent.name} q WHERE {parent.tenant('q')} AND q.is_deleted LIMIT 1"))

    def _coming_back(self, entity: Any) -> list[PartPlan]:
        """The parts that make rows live again; another one may only set links of the same table."""
        back = (Effect.REVERT, Effect.RECALL)
        return [
            p
            for p in self.parts
            if p.entity is entity
            and p.rows
            and (p.effect is Effect.ADD or (p.effect in back and "is_deleted" in p.columns))
        ]

    # -- taking rows out ----------------------------------------------------------------------------

    def _value(self, part: PartPlan) -> Value:
        table = table_of(part.entity)
        return add.value_of(table) if part.effect is Effect.ADD else revert.value_of(table, part.columns)

    def _gate(self, part: PartPlan) -> str:
        """Nothing stands against a row that is alive and only goes: reverting it deletes it again."""
        return "o.is_deleted AND " if part.effect is not Effect.ADD and revert.simple(part.columns) else ""

    def versions(self, part: PartPlan) -> str:
        """Joins of the aliases o, a and b to the frozen row r, as far as the part's conditions need them."""
        table = table_of(part.entity)
        if part.effect is Effect.ADD:
            return f"JOIN {table.history} b ON b.history_id = r.before_id AND {table.tenant('b')}"
        row = f"JOIN {table.name} o ON {table.match()} AND {table.tenant()}"
        if part.effect in (Effect.DELETE, Effect.REMOVE) or revert.simple(part.columns):
            return row
        return f"{row} {revert.versions(self.change, table, part.effect)}"

    def take_out(self, part: PartPlan, reason: SkipReason, where: str, detail: str = "") -> None:
        """Remove the frozen rows for which `where` holds, and list them with their reason."""
        taken_out = self.execute(
            f"WITH gone AS (DELETE FROM changes_frozenrow g USING (SELECT r.position FROM changes_frozenrow r "
            f"{self.versions(part)} WHERE r.tenant_id = %(tenant)s AND r.change_id = %(change)s "
            f"AND r.part = {part.number} AND {where}) s WHERE g.tenant_id = %(tenant)s AND g.change_id = %(change)s "
            f"AND g.part = {part.number} AND g.position = s.position RETURNING g.position, g.key) "
            f"{SKIP} SELECT %(tenant)s, %(change)s, {part.number}, position, key, '{reason}', %(detail)s FROM gone",
            hint_rows=part.rows if part.rows > MANY else 0,
            detail=detail,
        )
        part.rows -= taken_out
        part.conflicts += taken_out
