"""Freezing of the undo of events: statements that no change made, by psql, a script, another program.

Several writes to one row are folded: the version before the first of them comes back, if the row is still what the last
of them made it. What they inserted is archived, what they removed is added again under its key.
"""

from __future__ import annotations

from typing import Any

from audit import registry
from audit.entity import SoftDeleted
from audit.errors import UnknownEntity
from audit.names import quote
from changes import conflicts, partial
from changes.effects import revert
from changes.errors import BadOption, EventNotFound, TooManyEvents
from changes.freezing import delete_columns
from changes.plan import PartPlan
from changes.reverting import INTO, SKIP
from changes.states import Effect, SkipReason
from changes.tables import Table, table_of
from changes.undo_freezing import UndoFreezer
from changes.versions import differ, insertable_columns, quiet_columns, recorded_columns, same

LIMIT = 1_000
# Events of one transaction lie close to each other; this far around the named one they are looked for.
AROUND = 100_000


class EventFreezer(UndoFreezer):
    """Freezes the rows of the undo of events, one part per table and kind of write."""

    def freeze_events(self, source: dict[str, Any]) -> None:
        """`source` is {"events": [ids], "transaction": bool}; see `parse_source`. Raises EventNotFound."""
        self.only = self.change.options.get("only", {})
        self.values["events"], tables = self._events(source)
        for label in tables:
            self._table(label)
        self.settle()

    def _events(self, source: dict[str, Any]) -> tuple[list[int], list[str]]:
        """The ids of the events meant, and the tables they wrote to. The reader's tenant bounds both."""
        whole = bool(source.get("transaction"))
        named = source["events"]
        places = {"named": named, "low": min(named) - AROUND, "high": max(named) + AROUND}
        found = self.rows(
            f"SELECT id, entity FROM audit_event WHERE {_meant('audit_event', 'id', whole)} "
            "AND operation <> '*' AND tenant_id = %(tenant)s",
            **places,
        ) or self._shared_events(whole, places)
        if not found or (not source.get("transaction") and len(found) < len(set(named))):
            raise EventNotFound(field="source.events", value=", ".join(map(str, named[:5])))
        return [row[0] for row in found], sorted({row[1] for row in found})

    def _shared_events(self, whole: bool, places: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Events of a table that all tenants share belong to none; its history tells which they are."""
        entity = registry.entity(self.change.entity)
        if entity.governance.tenant:
            return []
        history = table_of(entity).history
        return self.rows(
            f"SELECT DISTINCT event_id, %(entity)s FROM {history} WHERE {_meant(history, 'event_id', whole)}",
            entity=self.change.entity,
            **places,
        )

    def _table(self, label: str) -> None:
        try:
            entity = registry.entity(label)
        except UnknownEntity as error:
            raise EventNotFound(field="source.events", value=label) from error
        columns = partial.narrowed(self.only, entity, self.offer(entity, self._touched(entity)))
        if columns:
            self._updated(self.add_part(entity, Effect.REVERT, columns))
        if self.only.get("fields"):
            return  # a whole row comes or goes; part of one is an update
        self._removed(self.add_part(entity, Effect.ADD, insertable_columns(table_of(entity))))
        self._inserted(self.add_part(entity, Effect.DELETE, delete_columns(entity)))

    # -- what was written ---------------------------------------------------------------------------

    def _net(self, table: Table) -> str:
        """The versions each row went through: z the first one written, a the last one."""
        keys = ", ".join(f"h.{quote(column)}" for column, _ in table.key)
        return (
            "(SELECT min(h.history_id) AS first_id, max(h.history_id) AS last_id, count(*) AS versions "
            f"FROM {table.history} h "
            f"WHERE h.event_id = ANY(%(events)s) AND {table.tenant('h')} GROUP BY {keys}) w "
            f"JOIN {table.history} z ON z.history_id = w.first_id JOIN {table.history} a ON a.history_id = w.last_id"
        )

    def _earlier(self, table: Table, kind: str = "JOIN") -> str:
        """Join b, the version before the first one written."""
        own = " AND ".join(f"h.{quote(column)} = a.{quote(column)}" for column, _ in table.key)
        return (
            f"{kind} LATERAL (SELECT h.* FROM {table.history} h WHERE {own} AND {table.tenant('h')} "
            "AND h.history_id < w.first_id ORDER BY h.history_id DESC LIMIT 1) b ON true"
        )

    def _unbroken(self, table: Table) -> str:
        """Nobody else wrote the row between the first and the last of these writes: the fold would take that back too."""
        own = " AND ".join(f"h.{quote(column)} = a.{quote(column)}" for column, _ in table.key)
        return (
            f"w.versions = (SELECT count(*) FROM {table.history} h WHERE {own} AND {table.tenant('h')} "
            "AND h.history_id BETWEEN w.first_id AND w.last_id)"
        )

    def _touched(self, entity: type[SoftDeleted]) -> tuple[str, ...]:
        """Columns that any of the rows holds differently now from before."""
        table = table_of(entity)
        columns = [c for c in insertable_columns(table) if c not in {key for key, _ in table.key}]
        flags = ", ".join(f"coalesce(bool_or({differ(entity, [c], 'a', 'b')}), false)" for c in columns)
        found = self.rows(
            f"SELECT {flags} FROM {self._net(table)} {self._earlier(table)} "
            "WHERE z.history_type <> '+' AND a.history_type <> '-'"
        )[0]
        touched = tuple(c for c, changed in zip(columns, found, strict=True) if changed)
        return () if set(touched) <= quiet_columns(entity) else touched

    # -- the three kinds ----------------------------------------------------------------------------

    def _updated(self, part: PartPlan) -> None:
        table = table_of(part.entity)
        chosen = conflicts.rule(self.change, SkipReason.CHANGED)
        first = "CASE WHEN w.first_id < w.last_id THEN w.first_id END"
        undisputed = revert.undisputed(table, part.columns, chosen)
        if chosen != conflicts.FORCE:
            undisputed += f" AND {self._unbroken(table)}"
        kind = "z.history_type <> '+' AND a.history_type <> '-'"
        touched = differ(part.entity, [c for c in part.columns if c not in quiet_columns(part.entity)], "a", "b")
        self._insert(part, f"{self._earlier(table)} {_row(table)}", kind, undisputed, touched, "o.xmin", first)

    def _removed(self, part: PartPlan) -> None:
        table = table_of(part.entity)
        before = "CASE WHEN z.history_type = '-' THEN w.first_id ELSE b.history_id END"
        kind = "z.history_type <> '+' AND a.history_type = '-'"
        self._insert(part, self._earlier(table, "LEFT JOIN"), kind, self._unbroken(table), "true", "'0'::xid", before)

    def _inserted(self, part: PartPlan) -> None:
        table = table_of(part.entity)
        steady = [c for c in recorded_columns(table) if c not in quiet_columns(part.entity)]
        unchanged = f"NOT o.is_deleted AND {same(part.entity, steady, 'o', 'a')} AND {self._unbroken(table)}"
        kind = "z.history_type = '+' AND a.history_type <> '-'"
        self._insert(part, _row(table), kind, unchanged, "true", "o.xmin", "NULL::bigint")

    def _insert(
        self, part: PartPlan, joins: str, kind: str, undisputed: str, touched: str, token: str, before: str
    ) -> None:
        """Freeze the rows of one kind that may go back, list those that may not, and look for what stands in the way."""
        table = table_of(part.entity)
        chosen, more = self._chosen_rows(part)
        place = f"a.{quote(table.key[0][0])}"
        if not table.integer_key:
            place = f"row_number() OVER (ORDER BY {table.order('a')})"
        rows = (
            f"SELECT {place} AS position, {table.key_json('a')} AS key, {token} AS token, {before} AS before_id, "
            f"a.history_id AS after_id, ({undisputed}) AS free, ({touched}) AS touched, {_there(part)} AS there "
            f"FROM {self._net(table)} {joins} {chosen} WHERE {kind}"
        )
        part.rows += self.execute(
            f"{INTO} SELECT %(tenant)s, %(change)s, {part.number}, position, token, key, before_id, after_id "
            f"FROM ({rows}) q WHERE free AND touched AND there ORDER BY position",
            **more,
        )
        part.conflicts += self.execute(
            f"{SKIP} SELECT %(tenant)s, %(change)s, {part.number}, position, key, "
            f"CASE WHEN there THEN '{SkipReason.CHANGED}' ELSE '{SkipReason.GONE}' END, '' "
            f"FROM ({rows}) q WHERE touched AND NOT (free AND there)",
            **more,
        )
        self.find_conflicts(part)

    def _chosen_rows(self, part: PartPlan) -> tuple[str, dict[str, Any]]:
        if not self.only.get("rows"):
            return "", {}
        selection = partial.selection_of(self.only, part.entity)
        if selection is None:
            return "JOIN (SELECT) s ON false", {}
        return partial.chosen_rows(selection, table_of(part.entity), "a", removed=part.effect is Effect.ADD)


def parse_source(data: Any) -> dict[str, Any]:
    """Read {"events": [ids], "transaction": bool}. Raises an Invalid that names the place."""
    if not isinstance(data, dict) or not set(data) <= {"events", "transaction"}:
        raise BadOption(field="source", value=str(data)[:40], known="events, transaction")
    events = data.get("events")
    if not isinstance(events, list) or not events or not all(_is_number(event) for event in events):
        raise EventNotFound(field="source.events", value=str(events)[:40])
    if len(events) > LIMIT:
        raise TooManyEvents(field="source.events", given=len(events), limit=LIMIT)
    whole = data.get("transaction", False)
    if not isinstance(whole, bool):
        raise BadOption(field="source.transaction", value=str(whole)[:40], known="true, false")
    return {"events": sorted(set(events)), "transaction": whole}


def _meant(table: str, column: str, whole: bool) -> str:
    """The named events, or all of their transactions."""
    if not whole:
        return f"{column} = ANY(%(named)s)"
    return f"{column} BETWEEN %(low)s AND %(high)s AND xid IN (SELECT xid FROM {table} WHERE {column} = ANY(%(named)s))"


def _is_number(event: Any) -> bool:
    return isinstance(event, int) and not isinstance(event, bool) and 0 < event < 2**63


def _row(table: Table) -> str:
    """The row itself, if it is there."""
    return f"LEFT JOIN {table.name} o ON {table.match_history('a', 'o')} AND {table.tenant()}"


def _there(part: PartPlan) -> str:
    if part.effect is Effect.ADD:
        return "true"
    table = table_of(part.entity)
    return f"o.{quote(table.key[0][0])} IS NOT NULL"
