"""Operations of an adopted app's migration. They alone touch the other program's tables, in short steps.

Every step looks before it acts, waits for locks in slices of 100 ms (`locking`) and notes in the ledger what it
added; the way back takes exactly that away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.migrations.operations.base import Operation

from audit.adoption import catalog, hiding, ledger, reversal
from audit.adoption.capture import (
    AdoptedTable,
    Column,
    drop_functions_v1,
    enable_always,
    function_v2,
    history_table_v1,
    operations_of,
    trigger_v1,
)
from audit.adoption.ledger import Ledger
from audit.adoption.locking import patiently
from audit.capture import OPERATIONS, trigger_name
from audit.names import QualifiedName, place, quote
from foundation.errors import NotFound

SOFT_DELETE = (
    ("is_deleted", "boolean NOT NULL DEFAULT false"),
    ("deleted_at", "timestamp with time zone"),
    ("retention_policy", "character varying(32) NOT NULL DEFAULT 'standard'"),
)
APP_PRIVILEGES = ("SELECT", "INSERT", "UPDATE")


class TableGone(NotFound):
    """There is no table %(table)s any more. Take it out of the migration, or create it again."""

    code = "table_gone"


class _DatabaseOnly(Operation):
    """An operation without effect on Django's model state."""

    reversible = True
    reduces_to_sql = True
    atomic = False

    def state_forwards(self, app_label: str, state: Any) -> None:
        return None


class OpenSchema(_DatabaseOnly):
    """Makes the ledger and lets the application's login into the schema."""

    def __init__(self, schema: str) -> None:
        self.schema = schema

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        def step(cursor: Any) -> None:
            ledger.create_tables(cursor)
            ledger.grant(cursor, self._ledger(cursor, app_label), "SCHEMA", quote(self.schema), ("USAGE",))

        patiently(schema_editor.connection, self.schema, step)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        def step(cursor: Any) -> None:
            mine = self._ledger(cursor, app_label)
            ledger.revoke(cursor, mine, "SCHEMA", quote(self.schema))
            mine.clear()

        patiently(schema_editor.connection, self.schema, step)

    def _ledger(self, cursor: Any, app_label: str) -> Ledger:
        return Ledger(cursor, app_label, (self.schema, ""))

    def describe(self) -> str:
        return f"Let the application into schema {self.schema}"


class GovernTable(_DatabaseOnly):
    """Soft-delete columns, history table, capture triggers and grants of one table."""

    def __init__(
        self,
        *,
        model: str,
        table: QualifiedName,
        history: str,
        key: Sequence[str],
        columns: Sequence[Column],
        fail_open: bool = True,
        hide: str = "",
    ) -> None:
        self.model = model
        self.table = table
        self.history = ("custody", history)
        self.key = tuple(key)
        self.columns = tuple(columns)
        self.fail_open = fail_open
        self.hide = hide

    def describe(self) -> str:
        return f"Govern table {'.'.join(self.table)}"

    # -- forwards -----------------------------------------------------------------------------------

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        connection = schema_editor.connection
        name = ".".join(self.table)
        patiently(connection, name, lambda cursor: self._make_history(cursor, app_label))
        patiently(connection, name, lambda cursor: self._govern(cursor, app_label))

    def adopted(self, cursor: Any, app_label: str) -> AdoptedTable:
        """The capture's view of this table; the baseline event is the one noted when history was made."""
        cursor.execute(
            "SELECT baseline_event FROM custody.adopted_table WHERE schema_name = %s AND table_name = %s", self.table
        )
        row = cursor.fetchone()
        if row is None:
            cursor.execute("SELECT nextval('public.audit_event_id_seq')")
            row = cursor.fetchone()
        return AdoptedTable(
            table=self.table,
            history=self.history,
            columns=self.columns,
            key=self.key,
            entity=f"{app_label}.{self.model.lower()}",
            fail_open=self.fail_open,
            baseline_event=row[0],
        )

    def _make_history(self, cursor: Any, app_label: str) -> None:
        """History table and functions; the other program's table is not touched yet."""
        if not catalog.members(cursor, self.table):
            raise TableGone(table=".".join(self.table))
        adopted = self.adopted(cursor, app_label)
        if not _exists(cursor, self.history):
            cursor.execute(history_table_v1(adopted))
            cursor.execute(f"GRANT SELECT ON {place(self.history)} TO custody_app")
            cursor.execute(
                "INSERT INTO custody.adopted_table (schema_name, table_name, app, entity, history_table, key_columns, "
                "baseline_event) VALUES (%s, %s, %s, %s, %s, %s, %s)",
                (*self.table, app_label, adopted.entity, self.history[1], list(self.key), adopted.baseline_event),
            )
        for operation in OPERATIONS:
            cursor.execute(function_v2(adopted, operation, baseline=True))

    def _govern(self, cursor: Any, app_label: str) -> None:
        """One transaction under one lock: columns, triggers, policy, grants; recording starts here."""
        mine = Ledger(cursor, app_label, self.table)
        self._add_columns(cursor, mine)
        add_triggers(cursor, mine, self.table)
        if self.hide:
            hiding.hide(cursor, mine, self.table, owner_too=self.hide == "rls-force")
        ledger.grant(cursor, mine, "TABLE", place(self.table), APP_PRIVILEGES)
        for sequence in catalog.default_sequences(cursor, self.table):
            ledger.grant(cursor, mine, "SEQUENCE", place(sequence), ("USAGE",))
        cursor.execute(
            "UPDATE custody.adopted_table SET recorded_from = clock_timestamp() "
            "WHERE schema_name = %s AND table_name = %s AND recorded_from IS NULL",
            self.table,
        )

    def _add_columns(self, cursor: Any, mine: Ledger) -> None:
        """Constant defaults, which stay: no rewrite, and the other program's INSERT keeps working."""
        missing = [(name, kind) for name, kind in SOFT_DELETE if not mine.has("column", name)]
        if missing:
            actions = ", ".join(f"ADD COLUMN {quote(name)} {kind}" for name, kind in missing)
            cursor.execute(f"ALTER TABLE {place(self.table)} {actions}")
        for name, _ in missing:
            mine.add("column", name)

    # -- backwards ----------------------------------------------------------------------------------

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        connection = schema_editor.connection
        name = ".".join(self.table)
        patiently(connection, name, lambda cursor: self._release(cursor, app_label))
        patiently(connection, name, lambda cursor: self._drop_history(cursor, app_label))

    def _release(self, cursor: Any, app_label: str) -> None:
        """Give the table back as it was found."""
        mine = Ledger(cursor, app_label, self.table)
        members = {member for member, _ in catalog.members(cursor, self.table)}
        if members:
            drop_triggers(cursor, mine, members)
            hiding.show(cursor, mine, members)
            columns = ", ".join(f"DROP COLUMN IF EXISTS {quote(name)}" for name in mine.names("column"))
            if columns:
                cursor.execute(f"ALTER TABLE {place(self.table)} {columns}")
            ledger.revoke(cursor, mine, "TABLE", place(self.table))
            for sequence in catalog.default_sequences(cursor, self.table):
                ledger.revoke(cursor, mine, "SEQUENCE", place(sequence))
        cursor.execute(drop_functions_v1(self.table))
        mine.clear()

    def _drop_history(self, cursor: Any, app_label: str) -> None:
        cursor.execute(f"DROP TABLE IF EXISTS {place(self.history)}")
        cursor.execute("DELETE FROM custody.adopted_table WHERE schema_name = %s AND table_name = %s", self.table)


class RefreshTable(GovernTable):
    """The table has changed: history gets the columns it lacks, the triggers record what is there now.

    The way back leaves history as wide as it is; only `GovernTable` gives the table back.
    """

    def describe(self) -> str:
        return f"Record the columns of {'.'.join(self.table)} as they are now"

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        def step(cursor: Any) -> None:
            adopted = self.adopted(cursor, app_label)
            actions = ", ".join(f"ADD COLUMN IF NOT EXISTS {quote(c.place)} {c.type}" for c in adopted.recorded)
            cursor.execute(f"ALTER TABLE {place(self.history)} {actions}")
            cursor.execute(
                "SELECT baseline_done_at IS NULL FROM custody.adopted_table WHERE schema_name = %s AND table_name = %s",
                self.table,
            )
            is_open = cursor.fetchone()[0]
            for operation in OPERATIONS:
                cursor.execute(function_v2(adopted, operation, baseline=is_open))
            add_triggers(cursor, Ledger(cursor, app_label, self.table), self.table)

        patiently(schema_editor.connection, ".".join(self.table), step)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        return None


class AllowReverse(_DatabaseOnly):
    """Last in the migration, so first on the way back: refuses to throw history away unasked."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        return None

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        with schema_editor.connection.cursor() as cursor:
            reversal.allow(cursor, app_label)

    def describe(self) -> str:
        return "Keep history unless it was exported"


def _exists(cursor: Any, table: QualifiedName) -> bool:
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [place(table)])
    return bool(cursor.fetchone()[0])


def add_triggers(cursor: Any, mine: Ledger, table: QualifiedName) -> list[str]:
    """Triggers on the table and each partition that lacks them. Return the partitions that got some."""
    added = []
    for member, kind in catalog.members(cursor, table):
        operations = operations_of(is_leaf=kind is catalog.Kind.TABLE)
        missing = [o for o in operations if not mine.has("trigger", _entry(member, o))]
        for operation in missing:
            cursor.execute(trigger_v1(table, member, operation))
            mine.add("trigger", _entry(member, operation))
        if missing:
            cursor.execute(enable_always(member, missing))
            added.append(".".join(member))
    return added


def drop_triggers(cursor: Any, mine: Ledger, members: set[QualifiedName]) -> None:
    """Drop the triggers the ledger knows on tables that still exist."""
    noted = set(mine.names("trigger"))
    for member in sorted(members):
        for operation in OPERATIONS:
            if _entry(member, operation) in noted:
                cursor.execute(f"DROP TRIGGER IF EXISTS {trigger_name(operation)} ON {place(member)}")


def _entry(member: QualifiedName, operation: str) -> str:
    return f"{place(member)} {operation}"


__all__ = ["AllowReverse", "Column", "GovernTable", "OpenSchema", "RefreshTable"]
