"""Freezing of a rollback: every row that is not as it was in a state of the past goes back to it.

Rows changed since get the differing columns of their version then, rows removed since are added again under their key,
rows that were not there then are archived. Only rows touched since are looked at (`audit.snapshots.sql.moved`).
"""

from __future__ import annotations

from typing import Any

from audit import registry
from audit.entity import SoftDeleted
from audit.names import quote
from audit.snapshots import sql
from audit.snapshots.recorded import recorded
from audit.snapshots.state import NOW, State, require_recorded
from changes import conflicts, partial
from changes.effects import revert
from changes.freezing import delete_columns
from changes.plan import PartPlan
from changes.reverting import INTO, SKIP
from changes.states import Effect, SkipReason
from changes.tables import Table, table_of
from changes.undo_freezing import UndoFreezer
from changes.versions import differ, insertable_columns


class RollbackFreezer(UndoFreezer):
    """Freezes the rows of a rollback of some entities to one state."""

    def freeze_rollback(self, entities: list[str], state: State) -> None:
        """One part per table and kind of difference. Raises BeforeRecording, BaselineOpen."""
        self.only = self.change.options.get("only", {})
        for label in entities:
            entity = registry.entity(label)
            require_recorded(entity, state, whole=False)
            self._table(entity, state)
        self.settle()

    def _table(self, entity: type[SoftDeleted], state: State) -> None:
        differing = self._differing(entity, state)
        if differing:
            self.offer(entity, differing)
        if columns := partial.narrowed(self.only, entity, differing):
            part = self.add_part(entity, Effect.RECALL, columns)
            undisputed = revert.undisputed(table_of(entity), columns, conflicts.rule(self.change, SkipReason.CHANGED))
            kind = f"{_lives('b')} AND {_lives('a')} AND {differ(entity, columns, 'a', 'b')}"
            self._insert(part, state, kind, undisputed)
        if self.only.get("fields"):
            return  # a whole row comes or goes; part of one is an update
        removed = self.add_part(entity, Effect.ADD, insertable_columns(table_of(entity)))
        self._insert(removed, state, f"{_lives('b')} AND NOT ({_lives('a')})", "true")
        fresh = self.add_part(entity, Effect.DELETE, delete_columns(entity))
        self._insert(fresh, state, f"NOT ({_lives('b')}) AND {_lives('a')} AND NOT a.is_deleted", "NOT o.is_deleted")
        if removed.rows or fresh.rows:
            self.offer(entity, ())

    def _moved(self, table: Table, state: State) -> str:
        """Rows touched since the state: w with the versions b (then) and a (now)."""
        moved = sql.moved(recorded(table.model), state, NOW, tenant_id=self.values["tenant"]).replace("%", "%%")
        return (
            f"({moved}) w JOIN {table.history} a ON a.history_id = w.after_id "
            f"LEFT JOIN {table.history} b ON b.history_id = w.before_id"
        )

    def _differing(self, entity: type[SoftDeleted], state: State) -> tuple[str, ...]:
        """Columns that any row touched since holds differently now from then."""
        table = table_of(entity)
        keys = {key for key, _ in table.key}
        columns = [c for c in insertable_columns(table) if c not in keys and c != "tenant_id"]
        flags = ", ".join(f"coalesce(bool_or({differ(entity, [c], 'a', 'b')}), false)" for c in columns)
        found = self.rows(f"SELECT {flags} FROM {self._moved(table, state)} WHERE {_lives('b')} AND {_lives('a')}")[0]
        return tuple(c for c, changed in zip(columns, found, strict=True) if changed)

    def _insert(self, part: PartPlan, state: State, kind: str, undisputed: str) -> None:
        """Freeze the rows of one kind, list those that moved on while this was read, and what stands in the way."""
        table = table_of(part.entity)
        chosen, more = "", dict[str, Any]()
        if self.only.get("rows"):
            selection = partial.selection_of(self.only, part.entity)
            chosen, more = partial.chosen_rows(selection, table, "a") if selection else ("JOIN (SELECT) s ON false", {})
        adds = part.effect is Effect.ADD
        place = f"a.{quote(table.key[0][0])}"
        if not table.integer_key:
            place = f"row_number() OVER (ORDER BY {table.order('a')})"
        row = "" if adds else f"LEFT JOIN {table.name} o ON {table.match_history('a', 'o')} AND {table.tenant()}"
        there = "true" if adds else f"o.{quote(table.key[0][0])} IS NOT NULL"
        rows = (
            f"SELECT {place} AS position, {table.key_json('a')} AS key, {'NULL::xid' if adds else 'o.xmin'} AS token, "
            f"b.history_id AS before_id, a.history_id AS after_id, ({undisputed}) AS free, {there} AS there "
            f"FROM {self._moved(table, state)} {row} {chosen} WHERE {kind}"
        )
        part.rows += self.execute(
            f"{INTO} SELECT %(tenant)s, %(change)s, {part.number}, position, coalesce(token, '0'::xid), key, before_id, "
            f"after_id FROM ({rows}) q WHERE free AND there ORDER BY position",
            **more,
        )
        part.conflicts += self.execute(
            f"{SKIP} SELECT %(tenant)s, %(change)s, {part.number}, position, key, "
            f"CASE WHEN there THEN '{SkipReason.CHANGED}' ELSE '{SkipReason.GONE}' END, '' "
            f"FROM ({rows}) q WHERE (free AND there) IS NOT TRUE",
            **more,
        )
        self.find_conflicts(part)


def _lives(version: str) -> str:
    """The version is one of a row, not of its removal, and there is one."""
    return f"{version}.history_type IS DISTINCT FROM '-' AND {version}.history_id IS NOT NULL"
