"""Schemas of other programs, adopted by the real command in processes of their own."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.applications import installed
from tests.databases import RealDatabase, database_of_its_own, default_database
from tests.servers import PROJECT, Servers

SCHEMAS = Path(__file__).resolve().parent / "schemas"


@dataclass(frozen=True, slots=True)
class Adoption:
    """One database, one directory of apps, and manage.py between them."""

    database: RealDatabase
    home: Path

    def load(self, name: str) -> None:
        """Run one of the schema files as the tables' owner."""
        with self.database.owner() as connection:
            connection.execute((SCHEMAS / f"{name}.sql").read_bytes())

    def manage(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """manage.py as the owner, with this adoption's apps installed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env=self.database.env | {"CUSTODY_HOME": str(self.home), "CUSTODY_DB_LOGIN": "owner"} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"manage.py {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
        return done

    def adopt(self, schema: str, *options: str) -> str:
        """Adopt with --apply; what the command said."""
        return self.manage("adopt", "--schema", schema, "--app", schema, "--apply", *options).stdout

    def dump(self, schema: str) -> str:
        """`pg_dump --schema-only` of the schema, without its random token."""
        from console.embedded.binaries import postgres_bin

        address = self.database.env["DATABASE_OWNER_URL"]
        command = [str(postgres_bin(None) / "pg_dump"), "--schema-only", "-n", schema, address]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return re.sub(r"^\\(un)?restrict .*$", "", text, flags=re.MULTILINE)

    def owner(self) -> psycopg.Connection[Any]:
        return self.database.owner()

    @contextlib.contextmanager
    def installed(self, *apps: str) -> Iterator[None]:
        """The adopted apps are part of this process, and `default` is this database."""
        sys.path.append(str(self.home / "apps"))
        try:
            with default_database(self.database.name), installed(*apps):
                yield
        finally:
            sys.path.remove(str(self.home / "apps"))


@pytest.fixture
def adoption(real_db: RealDatabase, tmp_path: Path) -> Adoption:
    """A database of this test's own."""
    return Adoption(real_db, tmp_path)


@pytest.fixture(scope="package")
def odd(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adoption]:
    """The odd schema, adopted once. Tests that write roll back."""
    with database_of_its_own(servers, "odd") as database:
        adoption = Adoption(database, tmp_path_factory.mktemp("odd"))
        adoption.load("odd")
        adoption.adopt("odd")
        yield adoption


@pytest.fixture
def odd_sql(odd: Adoption) -> Iterator[psycopg.Connection[Any]]:
    """The owner's connection to the adopted odd schema, in a transaction that is rolled back."""
    with odd.owner() as connection:
        connection.autocommit = False
        try:
            yield connection
        finally:
            connection.rollback()


@pytest.fixture
def old_program(odd_sql: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """The same connection as a login that knows nothing of Custody."""
    odd_sql.execute("SET LOCAL search_path = odd")
    return odd_sql


@pytest.fixture
def history(odd_sql: psycopg.Connection[Any]) -> Callable[..., list[tuple[Any, ...]]]:
    """`history("city", "id, name", "id = 1")`: type and columns of versions written since the baseline."""

    def versions(table: str, columns: str = "NULL", where: str = "true") -> list[tuple[Any, ...]]:
        return odd_sql.execute(
            f'SELECT history_type, {columns} FROM custody."odd_h_{table}" '
            f"WHERE history_change_reason IS DISTINCT FROM 'baseline' AND {where} ORDER BY history_id"
        ).fetchall()

    return versions


@pytest.fixture
def chinook_file() -> Path:
    """The Chinook sample database, if the machine has it."""
    path = os.environ.get("CHINOOK_SQL", "")
    if not path:
        pytest.skip("CHINOOK_SQL names no file")
    return Path(path)
