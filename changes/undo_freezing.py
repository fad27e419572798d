"""Freezing of the undo of a change: every row it touched, with the version it left and the one before.

A governed change writes each row of a part once, so the history row it wrote is the version after; the version before is
the one that precedes it, found when the row is brought back. What it added is archived, what it removed is added again.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Sum

from audit import registry
from audit.names import quote
from changes import conflicts, partial
from changes.effects import add, revert
from changes.freezing import MANY, delete_columns
from changes.models import Change, ChangePart
from changes.plan import PartPlan
from changes.relations import governed_parents
from changes.reverting import INTO, SKIP, Reverter
from changes.states import Effect, SkipReason
from changes.tables import Table, table_of
from changes.versions import insertable_columns, quiet_columns, recorded_columns, same

# `via` of the part that sets the links of an added table to itself.
SELF_LINKS = "links"
UNDONE_BY: dict[str, Effect] = {Effect.ADD: Effect.DELETE, Effect.CREATE: Effect.DELETE, Effect.REMOVE: Effect.ADD}


class UndoFreezer(Reverter):
    """Freezes the rows of the undo of one change."""

    def freeze_undo(self, original: Change) -> None:
        """One part per part of the original that did something, parents before children, archived ones last."""
        self.only = self.change.options.get("only", {})
        for done in original.parts.order_by("depth", "part"):
            if done.via != SELF_LINKS:
                self._part(original, done)
        self.settle()

    def settle(self) -> None:
        """What can be said only when every part is frozen: links, parents, dependants, order."""
        self.parts = [part for part in self.parts if part.rows or part.conflicts]
        self.parents_gone()
        self.link_added()
        self.order_steps()
        for part in sorted(self.parts, key=lambda p: self._rank(p.entity), reverse=True):
            if part.rows:
                self.hung_on(part)

    def _part(self, original: Change, done: ChangePart) -> None:
        entity = registry.entity(done.entity)
        effect = UNDONE_BY.get(done.effect, Effect.REVERT)
        columns = self._columns(entity, effect, tuple(done.columns))
        if not columns:
            return
        part = self.add_part(entity, effect, columns, depth=done.depth, via=done.via)
        self._freeze(original, done, part)
        touched = original.lanes.filter(part=done.part).aggregate(rows=Sum("applied"))["rows"] or 0
        if part.rows < touched:
            part.conflicts += self._list_moved(original, done, part)
        self.find_conflicts(part)

    def _columns(self, entity: Any, effect: Effect, written: tuple[str, ...]) -> tuple[str, ...]:
        if effect in (Effect.DELETE, Effect.ADD):
            self.offer(entity, ())
            if self.only.get("fields"):
                return ()  # a whole row comes or goes; part of one is an update
            return delete_columns(entity) if effect is Effect.DELETE else insertable_columns(table_of(entity))
        return partial.narrowed(self.only, entity, self.offer(entity, self.known_columns(entity, written)))

    # -- rows ---------------------------------------------------------------------------------------

    def _freeze(self, original: Change, done: ChangePart, part: PartPlan) -> None:
        table = table_of(part.entity)
        source, values = self._written(table, original, done, part)
        chosen, more = self._chosen(table, done, part)
        place = f"a.{quote(table.key[0][0])}" if table.integer_key else "f.position"
        key = "NULL::jsonb" if table.integer_key else "f.key"
        if part.effect is Effect.ADD:
            row, token, before, after, where = "", "'0'::xid", "a.history_id", "NULL::bigint", "true"
        else:
            row = f"JOIN {table.name} o ON {table.match_history('a', 'o')} AND {table.tenant()}"
            token, before, after = "o.xmin", "NULL::bigint", "a.history_id"
            where = self._undisputed(table, part)
            row += self._before(table, part)
        part.rows += self.execute(
            f"{INTO} SELECT %(tenant)s, %(change)s, {part.number}, {place}, {token}, {key}, {before}, {after} "
            f"{source} {row} {chosen} WHERE {where} ORDER BY 4",
            hint_rows=0 if part.effect is Effect.DELETE or self._needs_before(part) else MANY + 1,
            **values,
            **more,
        )

    def _written(self, table: Table, original: Change, done: ChangePart, part: PartPlan) -> tuple[str, dict[str, Any]]:
        """FROM clause over the version a that the original left of each frozen row f, by the range of its events."""
        span = self.rows(
            "SELECT coalesce(min(id), 0), coalesce(max(id), -1) FROM audit_event "
            "WHERE change_id = %(original)s AND target_table = %(table)s AND operation <> '*'",
            original=original.pk,
            table=table.plain_name,
        )[0]
        values = {"original": original.pk, "done_part": done.part, "first": span[0], "last": span[1]}
        mine = "h.event_id BETWEEN %(first)s AND %(last)s AND h.change_id = %(original)s AND " + table.tenant("h")
        frozen = "f.tenant_id = %(tenant)s AND f.change_id = %(original)s AND f.part = %(done_part)s"
        if part.effect is Effect.DELETE:  # an added row may have got its links in a second statement
            own = table.match("h", "f")
            return (
                f"FROM changes_frozenrow f JOIN LATERAL (SELECT h.* FROM {table.history} h WHERE {own} AND {mine} "
                f"ORDER BY h.history_id DESC LIMIT 1) a ON {frozen}"
            ), values
        kind = " AND h.history_type = '-'" if part.effect is Effect.ADD else ""
        return (
            f"FROM (SELECT h.* FROM {table.history} h WHERE {mine}{kind}) a "
            f"JOIN changes_frozenrow f ON {frozen} AND {table.match('a', 'f')}"
        ), values

    def _needs_before(self, part: PartPlan) -> bool:
        return part.effect is Effect.REVERT and not revert.simple(part.columns)

    def _before(self, table: Table, part: PartPlan) -> str:
        """Join b where the decision looks at it."""
        if not self._needs_before(part):
            return ""
        own = " AND ".join(f"h.{quote(column)} = a.{quote(column)}" for column, _ in table.key)
        return (
            f" JOIN LATERAL (SELECT h.* FROM {table.history} h WHERE {own} AND {table.tenant('h')} "
            "AND h.history_id < a.history_id ORDER BY h.history_id DESC LIMIT 1) b ON true"
        )

    def _undisputed(self, table: Table, part: PartPlan) -> str:
        if part.effect is Effect.DELETE:
            steady = [c for c in recorded_columns(table) if c not in quiet_columns(part.entity)]
            return f"NOT o.is_deleted AND {same(part.entity, steady, 'o', 'a')}"
        return revert.undisputed(table, part.columns, conflicts.rule(self.change, SkipReason.CHANGED))

    def _list_moved(self, original: Change, done: ChangePart, part: PartPlan) -> int:
        """List the rows the change touched that are not as it left them, or not there at all."""
        table = table_of(part.entity)
        source, values = self._written(table, original, done, part)
        chosen, more = self._chosen(table, done, part, missing=True)
        if part.effect is Effect.ADD:
            return 0
        return self.execute(
            f"{SKIP} SELECT %(tenant)s, %(change)s, {part.number}, f.position, f.key, "
            f"CASE WHEN EXISTS (SELECT FROM {table.name} o WHERE {table.match_history('a', 'o')} AND {table.tenant()}) "
            f"THEN '{SkipReason.CHANGED}' ELSE '{SkipReason.GONE}' END, '' {source} {chosen} "
            f"WHERE NOT EXISTS (SELECT FROM changes_frozenrow x "
            f"WHERE x.tenant_id = %(tenant)s AND x.change_id = %(change)s AND x.part = {part.number} "
            "AND x.position = f.position)",
            hint_rows=MANY + 1,
            **values,
            **more,
        )

    # -- partial ------------------------------------------------------------------------------------

    def _chosen(
        self, table: Table, done: ChangePart, part: PartPlan, missing: bool = False
    ) -> tuple[str, dict[str, Any]]:
        """Join the chosen rows of the table, or the chosen parents its rows hang on."""
        if not self.only.get("rows"):
            return "", {}
        selection = partial.selection_of(self.only, part.entity)
        if selection is None:
            return self._under_chosen(table, done), {}
        return partial.chosen_rows(selection, table, "a", removed=part.effect is Effect.ADD)

    def _under_chosen(self, table: Table, done: ChangePart) -> str:
        """Rows that went along with a chosen parent; nothing where no parent was chosen."""
        field = next((f for f in governed_parents(table.model) if done.via == f"{done.entity}.{f.name}"), None)
        above = None if field is None else self._frozen_part(field.remote_field.model)
        if field is None or above is None:
            return "JOIN (SELECT) s ON false"
        parent = table_of(above.entity)
        row = f"{parent.name} q JOIN changes_frozenrow x ON {parent.match('q', 'x')}"
        if above.effect is Effect.ADD:
            row = f"{parent.history} q JOIN changes_frozenrow x ON q.history_id = x.before_id"
        link = quote(table.kept(str(field.column)))
        version = (
            f"(SELECT coalesce(a.{link}, h.{link}) FROM {table.history} h WHERE {table.match_history('h', 'a')} "
            f"AND {table.tenant('h')} AND h.history_id < a.history_id ORDER BY h.history_id DESC LIMIT 1)"
        )
        return (
            f"JOIN LATERAL (SELECT FROM {row} WHERE x.tenant_id = %(tenant)s "
            f"AND x.change_id = %(change)s AND x.part = {above.number} AND {parent.tenant('q')} AND q.{quote(str(field.target_field.column))} = {version} LIMIT 1) s ON true"
        )

    def _frozen_part(self, entity: Any) -> PartPlan | None:
        return next((part for part in self.parts if part.entity is entity and part.rows), None)

    # -- order --------------------------------------------------------------------------------------

    def link_added(self) -> None:
        """A part per added table that points to itself: its links are set when every row is there."""
        for part in [p for p in self.parts if p.effect is Effect.ADD and p.rows]:
            table = table_of(part.entity)
            links = tuple(c for c in add.self_links(table) if c in part.columns)
            if not links:
                continue
            linked = self.add_part(part.entity, Effect.LINK, links, depth=part.depth, via=SELF_LINKS)
            filled = " OR ".join(f"b.{quote(table.kept(c))} IS NOT NULL" for c in links)
            linked.rows = self.execute(
                f"{INTO} SELECT %(tenant)s, %(change)s, {linked.number}, r.position, r.token, r.key, r.before_id, "
                f"NULL FROM changes_frozenrow r JOIN {table.history} b ON b.history_id = r.before_id "
                f"WHERE r.tenant_id = %(tenant)s AND r.change_id = %(change)s AND r.part = {part.number} AND ({filled})"
            )
            if not linked.rows:
                self.parts.remove(linked)

    def order_steps(self) -> None:
        """Rows that become alive, parents first; then the values and links of living rows; then those archived, children first."""
        deepest = max((self._rank(part.entity) for part in self.parts), default=0)
        for part in self.parts:
            rank = self._rank(part.entity)
            if part.effect is Effect.DELETE:
                part.step = 2 * deepest + 2 - rank
            else:
                part.step = rank if part.effect is Effect.ADD or "is_deleted" in part.columns else deepest + 1

    def _rank(self, entity: Any) -> int:
        return _rank(entity, {part.entity for part in self.parts})


def _rank(entity: Any, among: set[Any], seen: frozenset[Any] = frozenset()) -> int:
    """How many of these tables lie above; a cycle is cut where it closes."""
    parents = {f.remote_field.model for f in governed_parents(entity)} & among - {entity} - seen
    return max((1 + _rank(parent, among, seen | {entity}) for parent in parents), default=0)
