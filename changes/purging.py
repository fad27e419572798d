"""Freezing of a purge: rows of the recycle bin whose time has come, what went with them, and nothing that is pointed to.

A row stays as long as any foreign key points to it, from a live row or an archived one: it is left out and listed, so no
foreign key is ever broken and none cascades. Children are removed before their parents, in a table that points to itself
level by level.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from changes.errors import NothingDue
from changes.freezing import named_parameters, parent_join
from changes.plan import PartPlan, Plan, Retention
from changes.references import Reference, references
from changes.relations import Dependant, Rule, dependants, governed_parents
from changes.reverting import Reverter
from changes.states import Effect, SkipReason
from changes.tables import Table, table_of
from changes.versions import recorded_columns

INTO = "INSERT INTO changes_frozenrow (tenant_id, change_id, part, position, token, key) "
DUE = "o.is_deleted AND o.deleted_at + custody.retention(o.retention_policy) <= now()"


@dataclass(slots=True)
class Group:
    """Rows of one table that go for one reason: selected, or along with the parents that `through` names."""

    part: PartPlan
    selected: bool
    through: dict[str, tuple[Dependant, Any]] = field(default_factory=dict)


class PurgeFreezer(Reverter):
    """Freezes the rows of a purge for one change."""

    groups: list[Group]

    def freeze_purge(self, rows: QuerySet[Any], entity: Any, *, cascade_also: frozenset[str]) -> Plan:
        """Freeze what is due and can go. Where nothing is, the plan says why in `empty`."""
        self.groups = []
        sql, named = named_parameters(*_keys_and_dates(rows, entity).query.sql_with_params())
        retention = self._retention(sql, named)
        first = self._group(entity, selected=True)
        self._freeze_due(first, sql, named)
        self._take_along(first, cascade_also)
        self._leave_out()
        self._in_order()
        plan = self.plan()
        plan.retention = retention
        plan.selected = sum(g.part.rows for g in self.groups if g.selected)
        if not plan.rows_total and retention.rows:
            plan.empty = NothingDue(
                field="selection",
                rows=retention.rows,
                due=retention.due,
                next=retention.next_due.date() if retention.next_due else "-",
                unknown=", ".join(retention.unknown) or "-",
            )
        return plan

    def _retention(self, sql: str, named: dict[str, Any]) -> Retention:
        """How many of the selected rows are due, when the next one is, and under which policies none ever is."""
        found = self.rows(
            f"WITH s AS ({sql}), k AS MATERIALIZED (SELECT policy, custody.retention(policy) AS keep FROM "
            "(SELECT DISTINCT retention_policy AS policy FROM s) d) "
            "SELECT k.policy, k.keep IS NOT NULL, count(*), count(*) FILTER (WHERE s.deleted_at + k.keep <= now()), "
            "min(s.deleted_at + k.keep) FILTER (WHERE s.deleted_at + k.keep > now()) "
            "FROM s JOIN k ON k.policy = s.retention_policy GROUP BY 1, 2 ORDER BY 1",
            **named,
        )
        waiting: list[datetime] = [row[4] for row in found if row[4] is not None]
        return Retention(
            rows=sum(row[2] for row in found),
            due=sum(row[3] for row in found),
            next_due=min(waiting, default=None),
            unknown={row[0]: row[2] for row in found if not row[1]},
        )

    # -- rows ---------------------------------------------------------------------------------------

    def _group(self, entity: Any, *, selected: bool, depth: int = 0, via: str = "") -> Group:
        columns = recorded_columns(table_of(entity))
        group = Group(self.add_part(entity, Effect.REMOVE, columns, depth=depth, via=via), selected)
        self.groups.append(group)
        return group

    def _freeze_due(self, group: Group, sql: str, named: dict[str, Any]) -> None:
        table = table_of(group.part.entity)
        group.part.rows = self.execute(
            f"{INTO} SELECT %(tenant)s, %(change)s, {group.part.number}, {table.position()}, o.xmin, {table.key_json()} "
            f"FROM {table.name} o JOIN ({sql}) AS s ON {table.match_history('s', 'o')} "
            f"WHERE {table.tenant()} AND {DUE} ORDER BY {table.order()}",
            **named,
        )

    def _take_along(self, first: Group, cascade_also: frozenset[str]) -> None:
        """Due rows of the recycle bin that hang on frozen ones by a cascading relation."""
        queue = [first]
        while queue:
            above = queue.pop(0)
            for dependant in dependants(above.part.entity, cascade_also=cascade_also):
                if dependant.rule is Rule.CASCADE and (grown := self._children(above, dependant)) is not None:
                    queue.append(grown)

    def _children(self, above: Group, dependant: Dependant) -> Group | None:
        """The group of the children, if any of them is new."""
        group = next((g for g in self.groups if not g.selected and g.part.entity is dependant.child), None)
        fresh = group is None
        if group is None:
            group = self._group(dependant.child, selected=False, depth=above.part.depth + 1, via=dependant.name)
        part, table = group.part, table_of(dependant.child)
        new = self.execute(
            f"{INTO} SELECT %(tenant)s, %(change)s, {part.number}, {table.position(base=str(part.rows))}, o.xmin, "
            f"{table.key_json()} FROM {table.name} o {parent_join(above.part, dependant)} "
            f"WHERE {table.tenant()} AND {DUE} AND {self._stays(table, 'o')} ORDER BY {table.order()} ON CONFLICT DO NOTHING",
            hint_rows=above.part.rows,
        )
        if fresh and not new:
            self.groups.remove(group)
            self.parts.remove(part)
            return None
        part.rows += new
        group.through[dependant.name] = (dependant, above.part.entity)
        return group if new else None

    # -- what is pointed to -------------------------------------------------------------------------

    def _leave_out(self) -> None:
        """Take out rows that something points to which stays, and what would only have gone along with them."""
        moved = True
        while moved:
            before = sum(group.part.rows for group in self.groups)
            for group in self.groups:
                for reference in references(table_of(group.part.entity)):
                    self.take_out(group.part, SkipReason.DEPENDANTS, self._pointed_to(reference), reference.name)
            for group in self.groups:
                if not group.selected:
                    self._without_parent(group)
            moved = before != sum(group.part.rows for group in self.groups)

    def _pointed_to(self, reference: Reference) -> str:
        """Some row that does not go points to row o."""
        child = reference.child
        stays = "true" if child is None else self._stays(table_of(child), "c")
        return f"EXISTS (SELECT FROM {reference.table} c WHERE {reference.points('c', 'o')} AND {stays})"

    def _stays(self, table: Table, row: str) -> str:
        """The row is in none of the parts of its table."""
        numbers = [str(group.part.number) for group in self.groups if group.part.entity is table.model]
        if not numbers:
            return "true"
        return (
            "NOT EXISTS (SELECT FROM changes_frozenrow x WHERE x.tenant_id = %(tenant)s AND x.change_id = %(change)s "
            f"AND x.part IN ({', '.join(numbers)}) AND {table.match(row, 'x')})"
        )

    def _without_parent(self, group: Group) -> None:
        """Rows that would have gone along with a row that stays now stay too; nobody had named them."""
        table = table_of(group.part.entity)
        hangs = []
        for dependant, parent_entity in group.through.values():
            parent = table_of(parent_entity)
            hangs.append(
                f"EXISTS (SELECT FROM {parent.name} q WHERE {parent.tenant('q')} "
                f"AND q.{dependant.target_column()} = o.{dependant.column()} AND NOT ({self._stays(parent, 'q')}))"
            )
        group.part.rows -= self.execute(
            f"DELETE FROM changes_frozenrow g USING (SELECT r.position FROM changes_frozenrow r JOIN {table.name} o "
            f"ON {table.match()} AND {table.tenant()} WHERE r.tenant_id = %(tenant)s AND r.change_id = %(change)s "
            f"AND r.part = {group.part.number} AND NOT ({' OR '.join(hangs)})) s WHERE g.tenant_id = %(tenant)s "
            f"AND g.change_id = %(change)s AND g.part = {group.part.number} AND g.position = s.position"
        )

    # -- order --------------------------------------------------------------------------------------

    def _in_order(self) -> None:
        """Tables below others first; within a table that points to itself, the rows nobody points to first."""
        entities = list(dict.fromkeys(group.part.entity for group in self.groups))
        step = 0
        for entity in sorted(entities, key=lambda e: -_above(e, set(entities))):
            level = [group for group in self.groups if group.part.entity is entity and group.part.rows]
            while level:
                for group in level:
                    group.part.step = step
                step += 1
                level = self._next_level(table_of(entity), level)

    def _next_level(self, table: Table, level: list[Group]) -> list[Group]:
        """The rows of this level that another one of it points to, moved into parts of their own."""
        links = [r for r in references(table) if r.child is table.model]
        if not links:
            return []
        numbers = ", ".join(str(group.part.number) for group in level)
        pointed = " OR ".join(self._pointed_within(table, link, numbers) for link in links)
        rows = sum(group.part.rows for group in level)
        above = [grown for group in level if (grown := self._move(table, group, pointed)) is not None]
        if above and sum(group.part.rows for group in above) == rows:
            for group in above:  # a ring: each row waits for another one
                self.take_out(group.part, SkipReason.DEPENDANTS, "true", links[0].name)
            return []
        return above

    def _pointed_within(self, table: Table, link: Reference, numbers: str) -> str:
        return (
            f"EXISTS (SELECT FROM {link.table} c JOIN changes_frozenrow x ON {table.match('c', 'x')} "
            "AND x.tenant_id = %(tenant)s AND x.change_id = %(change)s "
            f"AND x.part IN ({numbers}) WHERE {link.points('c', 'o')} AND {table.tenant('c')})"
        )

    def _move(self, table: Table, group: Group, pointed: str) -> Group | None:
        grown = self._group(table.model, selected=group.selected, depth=group.part.depth, via=group.part.via)
        grown.through = group.through
        moved = self.execute(
            f"UPDATE changes_frozenrow g SET part = {grown.part.number} FROM (SELECT r.position FROM changes_frozenrow r "
            f"JOIN {table.name} o ON {table.match()} AND {table.tenant()} WHERE r.tenant_id = %(tenant)s "
            f"AND r.change_id = %(change)s AND r.part = {group.part.number} AND ({pointed})) s "
            f"WHERE g.tenant_id = %(tenant)s AND g.change_id = %(change)s AND g.part = {group.part.number} "
            "AND g.position = s.position"
        )
        if not moved:
            self.groups.remove(grown)
            self.parts.remove(grown.part)
            return None
        group.part.rows -= moved
        grown.part.rows = moved
        return grown


def _keys_and_dates(rows: QuerySet[Any], entity: Any) -> QuerySet[Any]:
    """The selection as a subquery of keys, policy and date."""
    columns = [f.attname for f in entity._meta.pk_fields]
    return rows.order_by().values_list(*columns, "retention_policy", "deleted_at")


def _above(entity: Any, among: Iterable[Any], seen: frozenset[Any] = frozenset()) -> int:
    """How many of these tables lie above; a cycle is cut where it closes."""
    parents = {f.remote_field.model for f in governed_parents(entity)} & set(among) - {entity} - seen
    return max((1 + _above(parent, among, seen | {entity}) for parent in parents), default=0)
