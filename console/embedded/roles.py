"""The two roles of the database: the owner migrates, the application works and cannot touch the record."""

from __future__ import annotations

import psycopg
from psycopg import sql

from console.embedded.errors import Refused

OWNER, APP = "custody_owner", "custody_app"
PLAIN = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")
# ALTER may only name what the caller may change: a CREATEROLE login of PostgreSQL 16 may not say SUPERUSER.
PLAIN_FOR_CREATEROLE = sql.SQL("LOGIN")


def may_create_roles(conninfo: str) -> bool:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute(
            "SELECT rolsuper OR (rolcreaterole AND rolcreatedb) FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    return bool(row and row[0])


def ensure_roles(admin_conninfo: str, *, owner_password: str, app_password: str, database: str) -> None:
    """Create both roles and the database, or bring them back in step; a second call changes nothing.

    `admin_conninfo` is a login that may create roles and databases, connected to any database.
    """
    with psycopg.connect(admin_conninfo, autocommit=True) as connection:
        is_super = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
        _ensure_role(connection, OWNER, owner_password, is_super=bool(is_super and is_super[0]))
        _ensure_role(connection, APP, app_password, is_super=bool(is_super and is_super[0]))
        _refuse_membership(connection)
        if is_super and is_super[0]:
            # Replica lag is shown to these only; a run waits for slow replicas.
            connection.execute(sql.SQL("GRANT pg_read_all_stats TO {}").format(sql.Identifier(APP)))
        if not (is_super and is_super[0]):
            connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(OWNER)))
        _ensure_database(connection, database)


def _ensure_role(connection: psycopg.Connection, role: str, password: str, *, is_super: bool) -> None:
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    attributes = PLAIN if is_super or not exists else PLAIN_FOR_CREATEROLE
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    statement = sql.SQL("{} ROLE {} {} PASSWORD {}").format(
        sql.SQL("ALTER" if exists else "CREATE"), sql.Identifier(role), attributes, sql.Literal(verifier.decode())
    )
    connection.execute(statement)


def _refuse_membership(connection: psycopg.Connection) -> None:
    """The application must not be able to become the owner."""
    row = connection.execute("SELECT pg_has_role(%s, %s, 'MEMBER')", [APP, OWNER]).fetchone()
    if row and row[0]:
        raise Refused(f"Role {APP} is a member of {OWNER}, so it could rewrite history: REVOKE {OWNER} FROM {APP}.")


def _ensure_database(connection: psycopg.Connection, database: str) -> None:
    row = connection.execute(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", [database]
    ).fetchone()
    names = {"database": sql.Identifier(database), "owner": sql.Identifier(OWNER)}
    if row is None:
        connection.execute(
            sql.SQL("CREATE DATABASE {database} OWNER {owner} TEMPLATE template0 ENCODING 'UTF8'").format(**names)
        )
    elif row[0] != OWNER:
        connection.execute(sql.SQL("ALTER DATABASE {database} OWNER TO {owner}").format(**names))
