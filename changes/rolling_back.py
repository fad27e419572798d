"""Freezing of a rollback: every row that is not as it was in a state of the past goes back to it.

Rows changed since get the differing columns of their version then, rows removed since are added again under their key,
rows that were not there then are archived. Only rows touched since are looked at (`audit.snapshots.sql.moved`), once per
table: each kind of difference then reads what was found.
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

# w: a row touched since the state, with its versions b (then) and a (now), and whether it lived then and lives now.
MOVED = "pg_temp.custody_moved"


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
        self._look(table_of(entity), state)
        differing = self._differing(entity)
        if differing:
            self.offer(entity, differing)
        if columns := partial.narrowed(self.only, entity, differing):
            part = self.add_part(entity, Effect.RECALL, columns)
            undisputed = revert.undisputed(table_of(entity), columns, conflicts.rule(self.change, SkipReason.CHANGED))
            self._insert(part, f"w.lived AND w.lives AND {differ(entity, columns, 'a', 'b')}", undisputed)
        if self.only.get("fields"):
            return  # a whole row comes or goes; part of one is an update
        removed = self.add_part(entity, Effect.ADD, insertable_columns(table_of(entity)))
        self._insert(removed, "w.lived AND NOT w.lives", "true")
        fresh = self.add_part(entity, Effect.DELETE, delete_columns(entity))
        self._insert(fresh, "w.lives AND NOT w.lived AND NOT a.is_deleted", "NOT o.is_deleted")
        if removed.rows or fresh.rows:
            self.offer(entity, ())

    def _look(self, table: Table, state: State) -> None:
        """Note every row that was touched since the state. The table is the transaction's own."""
        moved = sql.moved(recorded(table.model), state, NOW, tenant_id=self.values["tenant"]).replace("%", "%%")
        self.execute(f"DROP TABLE IF EXISTS {MOVED}")
        self.execute(
            f"CREATE TEMPORARY TABLE {MOVED.removeprefix('pg_temp.')} ON COMMIT DROP AS "
            f"SELECT w.before_id, w.after_id, {_lives('b')} AS lived, {_lives('a')} AS lives FROM ({moved}) w "
            f"JOIN {table.history} a ON a.history_id = w.after_id LEFT JOIN {table.history} b ON b.history_id = w.before_id"
        )
        self.execute(f"ANALYZE {MOVED}")

    def _versions(self, table: Table) -> str:
        return (
            f"{MOVED} w JOIN {table.history} a ON a.history_id = w.after_id "
            f"LEFT JOIN {table.history} b ON b.history_id = w.before_id"
        )

    def _differing(self, entity: type[SoftDeleted]) -> tuple[str, ...]:
        """Columns that any row touched since holds differently now from then."""
        table = table_of(entity)
        keys = {key for key, _ in table.key}
        columns = [c for c in insertable_columns(table) if c not in keys and c != "tenant_id"]
        flags = ", ".join(f"coalesce(bool_or({differ(entity, [c], 'a', 'b')}), false)" for c in columns)
        found = self.rows(f"SELECT {flags} FROM {self._versions(table)} WHERE w.lived AND w.lives")[0]
        return tuple(c for c, changed in zip(columns, found, strict=True) if changed)

    def _insert(self, part: PartPlan, kind: str, undisputed: str) -> None:
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
            f"FROM {self._versions(table)} {row} {chosen} WHERE {kind}"
        )
        frozen, skipped = self.rows(
            f"WITH q AS MATERIALIZED ({rows}), frozen AS ({INTO} SELECT %(tenant)s, %(change)s, {part.number}, position, "
            "coalesce(token, '0'::xid), key, before_id, after_id FROM q WHERE free AND there ORDER BY position RETURNING 1), "
            f"skipped AS ({SKIP} SELECT %(tenant)s, %(change)s, {part.number}, position, key, "
            f"CASE WHEN there THEN '{SkipReason.CHANGED}' ELSE '{SkipReason.GONE}' END, '' "
            "FROM q WHERE (free AND there) IS NOT TRUE RETURNING 1) "
            "SELECT (SELECT count(*) FROM frozen), (SELECT count(*) FROM skipped)",
            **more,
        )[0]
        part.rows += frozen
        part.conflicts += skipped
        self.find_conflicts(part)


def _lives(version: str) -> str:
    """The version is one of a row, not of its removal, and there is one."""
    return f"{version}.history_type IS DISTINCT FROM '-' AND {version}.history_id IS NOT NULL"
