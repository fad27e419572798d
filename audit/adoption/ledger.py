"""The ledger of adoption: what was added to a schema, so that only that is taken away again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.names import QualifiedName, literal

TABLES = Path(__file__).resolve().parent / "sql" / "adoption.sql"


@dataclass(frozen=True, slots=True)
class Ledger:
    """Entries of one app for one table; the table name is empty for entries of the schema itself."""

    cursor: Any
    app: str
    table: QualifiedName

    def has(self, kind: str, name: str) -> bool:
        """Whether adoption added it."""
        self.cursor.execute(
            "SELECT EXISTS (SELECT FROM custody.adoption_ledger WHERE schema_name = %s AND table_name = %s "
            "AND kind = %s AND name = %s)",
            (*self.table, kind, name),
        )
        return bool(self.cursor.fetchone()[0])

    def add(self, kind: str, name: str) -> None:
        """Note that adoption added it; a second note is harmless."""
        self.cursor.execute(
            "INSERT INTO custody.adoption_ledger (app, schema_name, table_name, kind, name) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT DO NOTHING",
            (self.app, *self.table, kind, name),
        )

    def names(self, kind: str) -> list[str]:
        """What of a kind was added, oldest first."""
        self.cursor.execute(
            "SELECT name FROM custody.adoption_ledger WHERE schema_name = %s AND table_name = %s AND kind = %s ORDER BY id",
            (*self.table, kind),
        )
        return [name for (name,) in self.cursor.fetchall()]

    def clear(self) -> None:
        """Forget the table: everything was taken back."""
        self.cursor.execute(
            "DELETE FROM custody.adoption_ledger WHERE schema_name = %s AND table_name = %s AND app = %s",
            (*self.table, self.app),
        )


def create_tables(cursor: Any) -> None:
    """Make the ledger's tables where they are missing."""
    cursor.execute("SELECT to_regclass('custody.adoption_export') IS NULL")
    if cursor.fetchone()[0]:
        cursor.execute(TABLES.read_text())


def exists(cursor: Any) -> bool:
    """Whether anything was ever adopted in this database."""
    cursor.execute("SELECT to_regclass('custody.adoption_export') IS NOT NULL")
    return bool(cursor.fetchone()[0])


def grant(cursor: Any, ledger: Ledger, kind: str, place: str, wanted: tuple[str, ...]) -> None:
    """Give custody_app the privileges it lacks on a table or schema, and note which."""
    for privilege in wanted:
        if not _holds(cursor, kind, place, privilege):
            cursor.execute(f"GRANT {privilege} ON {kind} {place} TO custody_app")
            ledger.add(f"grant on {kind.lower()} {place}", privilege)


def revoke(cursor: Any, ledger: Ledger, kind: str, place: str) -> None:
    """Take back what `grant` gave."""
    for privilege in ledger.names(f"grant on {kind.lower()} {place}"):
        cursor.execute(f"REVOKE {privilege} ON {kind} {place} FROM custody_app")


def _holds(cursor: Any, kind: str, place: str, privilege: str) -> bool:
    """Whether custody_app itself was granted it; what PUBLIC holds does not count."""
    source, of = ("pg_namespace", "nspacl") if kind == "SCHEMA" else ("pg_class", "relacl")
    cast = "regnamespace" if kind == "SCHEMA" else "regclass"
    cursor.execute(
        f"SELECT EXISTS (SELECT FROM {source} o, aclexplode(o.{of}) a WHERE o.oid = {literal(place)}::{cast} "
        "AND a.grantee = 'custody_app'::regrole AND a.privilege_type = %s)",
        [privilege],
    )
    return bool(cursor.fetchone()[0])
