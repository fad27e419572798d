"""Everything the checks look at, read as a superuser with plain SQL, for one tenant."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg

from tests.changes.life.tables import TABLES, Key, Row


class Event(NamedTuple):
    id: int
    table: str
    operation: str
    rows: int
    change: int | None


class Written(NamedTuple):
    """One history row."""

    table: str
    history_id: int
    row: int
    kind: str
    event: int
    change: int | None


class Lane(NamedTuple):
    id: int
    change: int
    part: int
    lo: int
    hi: int
    cursor: int
    rows: int
    applied: int
    skipped: int
    fence: int
    state: str


class Seen(NamedTuple):
    """One change as it is stored."""

    id: int
    state: str
    rows: int
    applied: int
    skipped: int
    error: str
    held: str


@dataclass(slots=True)
class Eyes:
    """Reads what is new since the last look, where the record only grows."""

    connection: psycopg.Connection
    tenant: int
    columns: dict[str, list[str]] = field(default_factory=dict)
    last_event: int = 0
    last_history: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for table in TABLES:
            found = self.ask(
                "SELECT a.attname FROM pg_attribute a JOIN pg_attribute h ON h.attname = a.attname "
                "AND h.attrelid = %s::regclass WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped",
                table.history,
                table.name,
            )
            self.columns[table.name] = [name for (name,) in found]
            self.last_history[table.name] = self.ask(f"SELECT coalesce(max(history_id), 0) FROM {table.history}")[0][0]
        self.last_event = self.ask("SELECT coalesce(max(id), 0) FROM audit_event")[0][0]

    def ask(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, params).fetchall()  # type: ignore[call-overload,no-any-return]

    def image(self, table: str) -> str:
        """Every column as PostgreSQL writes it, in the order of `columns`."""
        return "ARRAY[" + ", ".join(f'"{c}"::text' for c in self.columns[table]) + "]"

    def row(self, table: str, values: list[str | None]) -> Row:
        return dict(zip(self.columns[table], values, strict=True))

    def rows(self) -> tuple[dict[Key, Row], dict[Key, str]]:
        """All rows of the tenant, and the transaction that wrote each."""
        every = " UNION ALL ".join(
            f"SELECT '{t.name}', id, xmin::text, {self.image(t.name)} FROM {t.name} WHERE tenant_id = %s"
            for t in TABLES
        )
        rows, tokens = {}, {}
        for table, row, token, values in self.ask(every, *[self.tenant] * len(TABLES)):
            rows[table, row], tokens[table, row] = self.row(table, values), token
        return rows, tokens

    def events(self) -> list[Event]:
        """Statements on governed tables since the last look."""
        found = [
            Event(*row)
            for row in self.ask(
                "SELECT id, replace(target_table, 'public.', ''), operation, affected_rows, change_id FROM audit_event "
                "WHERE id > %s AND tenant_id = %s ORDER BY id",
                self.last_event,
                self.tenant,
            )
        ]
        self.last_event = max([self.last_event, *(event.id for event in found)])
        return [event for event in found if event.operation != "*"]

    def history(self) -> list[Written]:
        """History rows since the last look."""
        found = []
        for table in TABLES:
            new = self.ask(
                f"SELECT history_id, id, history_type, event_id, change_id FROM {table.history} "
                "WHERE history_id > %s AND tenant_id = %s ORDER BY history_id",
                self.last_history[table.name],
                self.tenant,
            )
            found += [Written(table.name, *row) for row in new]
            self.last_history[table.name] = max([self.last_history[table.name], *(row[0] for row in new)])
        return found

    def lanes(self) -> dict[int, Lane]:
        found = self.ask(
            "SELECT id, change_id, part, lo, hi, cursor, rows, applied, skipped, fence, state FROM changes_lane "
            "WHERE tenant_id = %s ORDER BY id",
            self.tenant,
        )
        return {row[0]: Lane(*row) for row in found}

    def changes(self) -> dict[int, Seen]:
        found = self.ask(
            "SELECT id, state, rows_total, applied, skipped, error, held FROM changes_change WHERE tenant_id = %s",
            self.tenant,
        )
        return {row[0]: Seen(*row) for row in found}

    def parts(self, change: int) -> dict[int, tuple[str, str, frozenset[str]]]:
        """Part number -> (entity, effect, columns)."""
        found = self.ask(
            "SELECT part, entity, effect, columns FROM changes_changepart WHERE tenant_id = %s AND change_id = %s",
            self.tenant,
            change,
        )
        return {part: (entity, effect, frozenset(columns)) for part, entity, effect, columns in found}

    def frozen(self, change: int) -> list[tuple[int, int]]:
        return self.ask(  # type: ignore[return-value]
            "SELECT part, position FROM changes_frozenrow WHERE tenant_id = %s AND change_id = %s", self.tenant, change
        )

    def skipped(self, change: int) -> dict[tuple[int, int], str]:
        found = self.ask(
            "SELECT part, position, reason FROM changes_skippedrow WHERE tenant_id = %s AND change_id = %s",
            self.tenant,
            change,
        )
        return {(part, position): reason for part, position, reason in found}

    def votes(self, change: int) -> int:
        """Distinct other persons whose approval of this very fingerprint is stored."""
        found = self.ask(
            "SELECT count(DISTINCT v.person_id) FROM approvals_vote v JOIN approvals_ticket t ON t.id = v.ticket_id "
            "JOIN changes_change c ON c.id = t.change_id WHERE c.tenant_id = %s AND c.id = %s AND v.decision = 'approve' "
            "AND v.digest = c.digest AND v.round = t.round AND v.person_id <> c.requester_person_id AND t.state = 'approved'",
            self.tenant,
            change,
        )
        return int(found[0][0])
