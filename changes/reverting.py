"""Freezing of a revert: which version each row goes back to, and what stands against it.

A revert brings back the named columns of the version before (`before_id`), as long as they are still
what the version after (`after_id`) made them. Rows in conflict are listed and left out.
"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet, Sum, UniqueConstraint

from audit import registry
from audit.entity import SoftDeleted
from audit.names import quote
from changes.freezing import MANY, Freezer, delete_columns, named_parameters, parent_join
from changes.models import Change
from changes.plan import PartPlan
from changes.relations import Rule, dependants, governed_parents
from changes.states import Effect, SkipReason
from changes.tables import Table, table_of

INTO = "INSERT INTO changes_frozenrow (tenant_id, change_id, part, position, token, key, before_id, after_id) "
WRITTEN = "WHERE h.event_id BETWEEN %(first)s AND %(last)s AND h.change_id = %(original)s AND {tenant}"
SKIP = "INSERT INTO changes_skippedrow (tenant_id, change_id, part, position, key, reason, detail) "


class Reverter(Freezer):
    """Freezes the rows of an undo or a restore."""

    # -- undo ---------------------------------------------------------------------------------------

    def freeze_undo(self, original: Change) -> None:
        """One part per part of the original that did something, parents before children.

        A change touches each of its rows once, so the history row it wrote is the version after; the
        version before is the one that precedes it, found when the row is brought back.
        """
        for done in original.parts.order_by("step", "part"):
            entity = registry.entity(done.entity)
            part = self.add_part(entity, Effect.REVERT, tuple(done.columns), depth=done.depth, via=done.via)
            self._versions_of(original.pk, done.part, part)
            touched = original.lanes.filter(part=done.part).aggregate(rows=Sum("applied"))["rows"] or 0
            if part.rows < touched:
                part.conflicts += self._skip_moved(original.pk, done.part, part)
            self._conflicts(part)
        self.parts = [part for part in self.parts if part.rows or part.conflicts]
        self._parents_gone()

    def _versions_of(self, original: int, done_part: int, part: PartPlan) -> None:
        """Freeze the rows that are still as the change left them."""
        table = table_of(part.entity)
        source, values = self._written_by(table, original, done_part)
        position, key = ("h." + quote(table.key[0][0]), "NULL::jsonb") if table.integer_key else ("r.position", "r.key")
        part.rows += self.execute(
            f"{INTO} SELECT %(tenant)s, %(change)s, {part.number}, {position}, o.xmin, {key}, NULL, h.history_id "
            f"{source} JOIN {table.name} o ON {table.match_history()} AND {table.tenant()} "
            f"{WRITTEN.format(tenant=table.tenant('h'))} AND {unchanged(part.columns, 'h')} ORDER BY 4",
            hint_rows=MANY + 1,
            **values,
        )

    def _written_by(self, table: Table, original: int, done_part: int) -> tuple[str, dict[str, Any]]:
        """FROM clause over the history rows a part of the original wrote, found by the range of its events."""
        span = self.rows(
            "SELECT coalesce(min(id), 0), coalesce(max(id), -1) FROM audit_event "
            "WHERE change_id = %(original)s AND target_table = %(table)s AND operation <> '*'",
            original=original,
            table=table.plain_name,
        )[0]
        values = {"original": original, "done_part": done_part, "first": span[0], "last": span[1]}
        frozen = (
            "JOIN changes_frozenrow r ON r.tenant_id = %(tenant)s AND r.change_id = %(original)s "
            f"AND r.part = %(done_part)s AND {table.match('h')} "
            # What was left alone in the end, a trial that was taken back say, is as it was.
            "AND NOT EXISTS (SELECT FROM changes_skippedrow k WHERE k.tenant_id = %(tenant)s "
            "AND k.change_id = %(original)s AND k.part = %(done_part)s AND k.position = r.position)"
        )
        return f"FROM {table.history} h {frozen}", values

    def _skip_moved(self, original: int, done_part: int, part: PartPlan) -> int:
        """List the rows the change touched that are not as it left them, or not there at all."""
        table = table_of(part.entity)
        source, values = self._written_by(table, original, done_part)
        return self.execute(
            f"{SKIP} SELECT %(tenant)s, %(change)s, {part.number}, r.position, r.key, "
            f"CASE WHEN EXISTS (SELECT FROM {table.name} o WHERE {table.match_history()} AND {table.tenant()}) "
            f"THEN '{SkipReason.CHANGED}' ELSE '{SkipReason.GONE}' END, '' {source} "
            f"{WRITTEN.format(tenant=table.tenant('h'))} AND NOT EXISTS (SELECT FROM changes_frozenrow x "
            f"WHERE x.tenant_id = %(tenant)s AND x.change_id = %(change)s AND x.part = {part.number} "
            "AND x.position = r.position)",
            hint_rows=MANY + 1,
            **values,
        )

    # -- restore ------------------------------------------------------------------------------------

    def freeze_restore(self, rows: QuerySet[Any], entity: type[SoftDeleted]) -> None:
        """The selected deleted rows, and dependants that went with them in the same change."""
        part = self.add_part(entity, Effect.REVERT, delete_columns(entity))
        table = table_of(entity)
        columns = [field.attname for field in entity._meta.pk_fields]
        sql, named = named_parameters(*rows.order_by().values_list(*columns).query.sql_with_params())
        names = ", ".join(quote(column) for column, _ in table.key)
        part.rows += self.execute(
            self._restore_sql(table, part, f"JOIN ({sql}) AS s ({names}) ON {table.match_history('s', 'o')}", "true"),
            **named,
        )
        part.selected = part.rows
        self._conflicts(part)
        queue = [part]
        while queue:
            queue += self._restore_children(queue.pop(0))
        self._parents_gone()

    def _restore_sql(self, table: Table, part: PartPlan, join: str, where: str) -> str:
        """Deleted rows with their latest version a, the last one b in which they were alive, and d that ended it."""
        history = f"FROM {table.history} h WHERE {table.match_history('h', 'o')} AND {table.tenant('h')}"
        return (
            f"{INTO} SELECT %(tenant)s, %(change)s, {part.number}, {table.position(base=str(part.rows))}, o.xmin, "
            f"{table.key_json()}, b.history_id, a.history_id FROM {table.name} o {join} "
            f"JOIN LATERAL (SELECT h.history_id {history} ORDER BY h.history_id DESC LIMIT 1) a ON true "
            f"JOIN LATERAL (SELECT h.history_id {history} AND NOT h.is_deleted "
            "ORDER BY h.history_id DESC LIMIT 1) b ON true "
            f"JOIN LATERAL (SELECT h.change_id {history} AND h.history_id > b.history_id "
            "ORDER BY h.history_id LIMIT 1) d ON true "
            f"WHERE {table.tenant()} AND o.is_deleted AND {where} ORDER BY {table.order()} ON CONFLICT DO NOTHING"
        )

    def _restore_children(self, part: PartPlan) -> list[PartPlan]:
        """Dependants whose life ended in the same change as their parent's."""
        parent = table_of(part.entity)
        grown = []
        for dependant in dependants(part.entity, cascade_also=_all_relations(part.entity)):
            if dependant.rule is not Rule.CASCADE:
                continue
            table = table_of(dependant.child)
            child = self.part_of(dependant.child, Effect.REVERT)
            fresh = child is None
            if child is None:
                child = self.add_part(
                    dependant.child,
                    Effect.REVERT,
                    delete_columns(dependant.child),
                    depth=part.depth + 1,
                    via=dependant.name,
                )
            join = (
                f"{parent_join(part, dependant)} JOIN {parent.history} pb ON pb.history_id = p.before_id "
                f"JOIN LATERAL (SELECT h.change_id FROM {parent.history} h WHERE {parent.match_history('h', 'pb')} "
                f"AND {parent.tenant('h')} AND h.history_id > p.before_id ORDER BY h.history_id LIMIT 1) pd ON true"
            )
            where = f"d.change_id = pd.change_id AND {self._not_frozen(child, table)}"
            new = self.execute(self._restore_sql(table, child, join, where), hint_rows=0)
            child.rows += new
            if fresh and not new:
                self.parts.remove(child)
            elif new:
                self._conflicts(child)
                grown.append(child)
        return grown

    # -- conflicts ----------------------------------------------------------------------------------

    def _conflicts(self, part: PartPlan) -> None:
        """Take rows out whose unique values are taken meanwhile, and list them."""
        table = table_of(part.entity)
        if part.rows and "is_deleted" in part.columns:
            for constraint in live_constraints(part.entity):
                self._take_out(part, SkipReason.UNIQUE, f"EXISTS ({taken(table, constraint)})", table, constraint.name)
                self._take_out(part, SkipReason.UNIQUE, self._twins(part, table, constraint), table, constraint.name)

    def _twins(self, part: PartPlan, table: Table, constraint: UniqueConstraint) -> str:
        """Two frozen rows that would come back with the same value: the later deleted one wins."""
        same = _same_values(part.entity, constraint, "t", "o")
        return (
            f"EXISTS (SELECT FROM {table.name} t JOIN changes_frozenrow x ON x.tenant_id = %(tenant)s "
            f"AND x.change_id = %(change)s AND x.part = {part.number} AND {table.match('t', 'x')} "
            f"WHERE {table.tenant('t')} AND {same} AND x.after_id > r.after_id)"
        )

    def _parents_gone(self) -> None:
        """Rows whose parent is deleted and does not come back with them."""
        for part in self.parts:
            if not part.rows or "is_deleted" not in part.columns:
                continue
            table = table_of(part.entity)
            for field in governed_parents(part.entity):
                parent = table_of(field.remote_field.model)
                if not self.rows(f"SELECT 1 FROM {parent.name} q WHERE {parent.tenant('q')} AND q.is_deleted LIMIT 1"):
                    continue
                back = self._coming_back(field.remote_field.model)
                stays = "true" if back is None else self._not_frozen(back, parent, row="q")
                gone = (
                    f"EXISTS (SELECT FROM {parent.name} q WHERE {parent.tenant('q')} AND q.is_deleted AND "
                    f"q.{quote(field.target_field.column)} = o.{quote(field.column)} AND {stays})"
                )
                self._take_out(part, SkipReason.PARENT, gone, table, detail=field.name)

    def _coming_back(self, entity: Any) -> PartPlan | None:
        """The part that makes rows live again; another one may only set links of the same table."""
        parts = (p for p in self.parts if p.entity is entity and p.effect is Effect.REVERT)
        return next((p for p in parts if "is_deleted" in p.columns), None)

    def _take_out(self, part: PartPlan, reason: SkipReason, where: str, table: Table, detail: str = "") -> None:
        """Nothing stands against a row that is alive: reverting it deletes it again."""
        taken_out = self.execute(
            f"WITH gone AS (DELETE FROM changes_frozenrow r USING {table.name} o WHERE r.tenant_id = %(tenant)s "
            f"AND r.change_id = %(change)s AND r.part = {part.number} AND {table.match()} AND {table.tenant()} "
            f"AND o.is_deleted AND {where} RETURNING r.position, r.key) "
            f"{SKIP} SELECT %(tenant)s, %(change)s, {part.number}, position, key, '{reason}', %(detail)s FROM gone",
            hint_rows=part.rows,
            detail=detail,
        )
        part.rows -= taken_out
        part.conflicts += taken_out


def unchanged(columns: tuple[str, ...], version: str = "a") -> str:
    """The touched columns of row o are still what that version made them."""
    return " AND ".join(f"o.{quote(c)} IS NOT DISTINCT FROM {version}.{quote(c)}" for c in columns) or "true"


def live_constraints(model: type[SoftDeleted]) -> list[UniqueConstraint]:
    """Unique constraints that count live rows only."""
    return [
        constraint
        for constraint in model._meta.constraints
        if isinstance(constraint, UniqueConstraint) and constraint.condition is not None and constraint.fields
    ]


def taken(table: Table, constraint: UniqueConstraint) -> str:
    """A subquery that finds another live row with the unique values of row o."""
    same = _same_values(table.model, constraint, "t", "o")
    other = " AND ".join(f"t.{quote(column)} = o.{quote(column)}" for column, _ in table.key)
    return (
        f"SELECT 1 FROM {table.name} t WHERE {table.tenant('t')} AND NOT t.is_deleted AND {same} "
        f"AND NOT ({other}) LIMIT 1"
    )


def _same_values(model: type[SoftDeleted], constraint: UniqueConstraint, left: str, right: str) -> str:
    columns = [str(model._meta.get_field(name).column) for name in constraint.fields]  # type: ignore[union-attr]
    return " AND ".join(f"{left}.{quote(c)} = {right}.{quote(c)}" for c in columns)


def _all_relations(model: type[SoftDeleted]) -> frozenset[str]:
    """Every protecting relation too: what a change took along, its restore brings back."""
    return frozenset(d.name for d in dependants(model))
