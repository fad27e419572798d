"""Freezing of rows that go back to an earlier version, and what stands against each: listed, and left out.

A frozen row of a revert names the version the change left (`after_id`) and, where it needs naming, the version to bring
back or the first one the change wrote (`before_id`); see `changes.effects.revert`.
"""

from __future__ import annotations

from typing import Any

from audit import registry
from audit.entity import SoftDeleted
from audit.names import quote
from changes import conflicts
from changes.effects import add, revert
from changes.freezing import MANY, Freezer
from changes.models import Change
from changes.obstacles import Value, parent_gone, parents, relevant, taken
from changes.plan import PartPlan, Plan
from changes.relations import Dependant, dependants
from changes.states import Effect, Operation, SkipReason
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
        self.frozen_before = False

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
            if unique.live_only and (part.effect is Effect.ADD or self._flips(part)):
                self.take_out(part, SkipReason.UNIQUE, gate + self._twins(part, table, unique.columns), unique.name)

    def _twins(self, part: PartPlan, table: Table, columns: tuple[str, ...]) -> str:
        """Two frozen rows that would both come alive with the same value: the later one wins."""
        if part.effect is Effect.ADD:
            twin = f"FROM changes_frozenrow x JOIN {table.history} t ON t.history_id = x.before_id"
            match, order = "NOT b.is_deleted AND NOT t.is_deleted", "x.before_id > r.before_id"
        else:
            twin, match = f"FROM {table.name} t JOIN changes_frozenrow x ON {table.match('t', 'x')}", table.tenant("t")
            match, order = f"{match} AND t.is_deleted", "x.after_id > r.after_id"
        value = self._value(part)
        kept = table.kept if part.effect is Effect.ADD else str
        same = " AND ".join(f"t.{quote(kept(column))} = {value(column)}" for column in columns)
        return (
            f"EXISTS (SELECT {twin} WHERE x.tenant_id = %(tenant)s AND x.change_id = %(change)s "
            f"AND x.part = {part.number} AND {match} AND {same} AND {order})"
        )

    def hung_on(self, part: PartPlan) -> None:
        """Rows that would be archived, and on which live rows hang that do not go along, or to another row."""
        if not self.archives(part):
            return
        below = dependants(part.entity)
        while sum(self._hung_on(part, dependant) for dependant in below):
            if all(dependant.child is not part.entity for dependant in below):
                return
            # What hangs on a row that stays keeps the next one above it.

    def _hung_on(self, part: PartPlan, dependant: Dependant) -> int:
        goes, hanging = self.hanging(part, dependant)
        return self.take_out(part, SkipReason.DEPENDANTS, f"{goes} AND EXISTS (SELECT {hanging})", dependant.name)

    def archives(self, part: PartPlan) -> bool:
        """Whether rows of the part may go to the recycle bin. The undo of a delete only brings back."""
        if part.effect is Effect.DELETE:
            return True
        undone = self.change.undo_of
        only_back = self.change.operation == Operation.RESTORE or (undone and undone.operation == Operation.DELETE)
        return part.effect in (Effect.REVERT, Effect.RECALL) and "is_deleted" in part.columns and not only_back

    def hanging(self, part: PartPlan, dependant: Dependant) -> tuple[str, str]:
        """A condition on the row o, that it goes, and FROM … WHERE of the live rows c that hang on it and stay."""
        child, link = table_of(dependant.child), str(dependant.field.column)
        stays = [child.tenant("c"), "NOT c.is_deleted", f"c.{dependant.column()} = o.{dependant.target_column()}"]
        for other in self.parts:
            if other.entity is not dependant.child or not other.rows:
                continue
            if other.effect is Effect.DELETE:
                stays.append(self._not_frozen(other, child, row="c"))
            elif other.effect in (Effect.REVERT, Effect.RECALL) and {"is_deleted", link} & set(other.columns):
                value = self._value(other)
                leaves = f"({value('is_deleted')} OR {value(link)} IS DISTINCT FROM c.{quote(link)})"
                stays.append(f"NOT {self._holds(other, 'c', leaves)}")
        goes = "NOT o.is_deleted" + ("" if part.effect is Effect.DELETE else f" AND {self._value(part)('is_deleted')}")
        return goes, f"FROM {child.name} c WHERE {' AND '.join(stays)}"

    def new_dependants(self) -> list[tuple[type[SoftDeleted], int]]:
        """Of a change that was frozen before: live rows that hang on those it archives, per table."""
        self.frozen_before = True
        self.parts = [
            PartPlan(p.part, registry.entity(p.entity), Effect(p.effect), tuple(p.columns), rows=p.rows)
            for p in self.change.parts.order_by("part")
        ]
        found = []
        for part in [part for part in self.parts if part.rows and self.archives(part)]:
            for dependant in dependants(part.entity):
                goes, hanging = self.hanging(part, dependant)
                rows = self.rows(
                    f"SELECT coalesce(sum((SELECT count(*) {hanging})), 0) FROM changes_frozenrow r {self.versions(part)} "
                    f"WHERE r.tenant_id = %(tenant)s AND r.change_id = %(change)s AND r.part = {part.number} AND {goes}"
                )
                found += [(dependant.child, int(rows[0][0]))] if rows[0][0] else []
        return found

    def _holds(self, part: PartPlan, row: str, condition: str) -> str:
        """The row of the alias is frozen in the part, and the condition on its o, a and b holds."""
        own = " AND ".join(f"o.{quote(column)} = {row}.{quote(column)}" for column, _ in table_of(part.entity).key)
        return (
            f"EXISTS (SELECT FROM changes_frozenrow r {self.versions(part)} WHERE r.tenant_id = %(tenant)s "
            f"AND r.change_id = %(change)s AND r.part = {part.number} AND {own} AND {condition})"
        )

    def parents_gone(self) -> None:
        """Rows whose parent is deleted, or not there, and does not come back with them; and so on downwards."""
        while sum(self._orphans(part) for part in self.parts if part.rows):
            pass

    def _orphans(self, part: PartPlan) -> int:
        if part.effect in (Effect.DELETE, Effect.LINK):
            return 0
        table, adds, taken_out = table_of(part.entity), part.effect is Effect.ADD, 0
        missing = adds or not revert.simple(part.columns)
        for field in parents(part.entity, part.columns):
            parent = table_of(field.remote_field.model)
            back = self._coming_back(field.remote_field.model)
            if not back and not missing and not self._any_deleted(parent):
                continue
            comes = " OR ".join(self._comes_back(one, parent) for one in back) or "false"
            gone = parent_gone(table, field, self._value(part), back=f"({comes})", missing=missing)
            for one in back:
                if adds and one.effect is Effect.ADD:
                    gone = f"({gone} AND NOT {self._is_added(part, field, one)})"
            taken_out += self.take_out(part, SkipReason.PARENT, self._gate(part) + gone, field.name)
        return taken_out

    def _comes_back(self, part: PartPlan, parent: Table) -> str:
        """A condition on a deleted parent q: the part makes it live again."""
        if part.effect is Effect.ADD or self._flips(part):
            return f"NOT {self._not_frozen(part, parent, row='q')}"
        return self._holds(part, "q", f"NOT {self._value(part)('is_deleted')}")

    def _is_added(self, part: PartPlan, field: Any, back: PartPlan) -> str:
        """The missing parent is one of the rows this change adds, alive unless the row itself is archived."""
        parent, value = table_of(back.entity), self._value(part)
        target, link = parent.kept(str(field.target_field.column)), value(str(field.column))
        return (
            f"EXISTS (SELECT FROM changes_frozenrow x JOIN {parent.history} q ON q.history_id = x.before_id "
            f"WHERE x.tenant_id = %(tenant)s AND x.change_id = %(change)s AND x.part = {back.number} "
            f"AND q.{quote(target)} = {link} AND (NOT q.is_deleted OR {value('is_deleted')}))"
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
        return (
            add.value_of(table) if part.effect is Effect.ADD else revert.value_of(table, part.columns, self._rule(part))
        )

    def _flips(self, part: PartPlan) -> bool:
        return revert.flips(part.columns, self._rule(part))

    def _rule(self, part: PartPlan) -> str:
        """Once it is frozen a row may have been worked off, or brought back by somebody: then the version has to tell."""
        if self.frozen_before and revert.simple(part.columns):
            return conflicts.FORCE
        return conflicts.rule(self.change, SkipReason.CHANGED)

    def _gate(self, part: PartPlan) -> str:
        """Nothing stands against a row that is alive and only goes: reverting it deletes it again."""
        return "o.is_deleted AND " if part.effect is not Effect.ADD and self._flips(part) else ""

    def versions(self, part: PartPlan) -> str:
        """Joins of the aliases o, a and b to the frozen row r, as far as the part's conditions need them."""
        table = table_of(part.entity)
        if part.effect is Effect.ADD:
            return f"JOIN {table.history} b ON b.history_id = r.before_id AND {table.tenant('b')}"
        row = f"JOIN {table.name} o ON {table.match()} AND {table.tenant()}"
        if part.effect in (Effect.DELETE, Effect.REMOVE) or self._flips(part):
            return row
        return f"{row} {revert.versions(self.change, table, part.effect)}"

    def take_out(self, part: PartPlan, reason: SkipReason, where: str, detail: str = "") -> int:
        """Remove the frozen rows for which `where` holds, and list them with their reason; return how many."""
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
        return taken_out
