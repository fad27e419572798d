"""What PostgreSQL's catalog says about one table; the questions behind `audit.checks`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from audit.names import QualifiedName

TABLE = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A trigger with its function."""

    enabled: str
    function: str
    body: str
    is_definer: bool
    settings: tuple[str, ...]
    owned_by_table_owner: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A row level security policy as PostgreSQL writes it."""

    name: str
    command: str
    roles: tuple[str, ...]
    using: str
    checked: str


def columns(cursor: Any, table: QualifiedName) -> set[str]:
    """Names of the table's columns; empty when there is no such table."""
    cursor.execute(
        "SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped",
        table,
    )
    return {name for (name,) in cursor.fetchall()}


def trigger(cursor: Any, table: QualifiedName, name: str) -> Trigger | None:
    cursor.execute(
        "SELECT t.tgenabled, p.proname, p.prosrc, p.prosecdef, coalesce(p.proconfig, '{}'), p.proowner = c.relowner "
        "FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_proc p ON p.oid = t.tgfoid WHERE n.nspname = %s AND c.relname = %s AND t.tgname = %s",
        (*table, name),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    enabled, function, body, is_definer, settings, owned = row
    return Trigger(
        enabled=enabled,
        function=function,
        body=body,
        is_definer=is_definer,
        settings=tuple(settings),
        owned_by_table_owner=owned,
    )


def is_isolated(cursor: Any, table: QualifiedName) -> bool:
    """Whether row level security is on, and forced for the owner too."""
    cursor.execute(f"SELECT c.relrowsecurity AND c.relforcerowsecurity {TABLE}", table)
    row = cursor.fetchone()
    return bool(row and row[0])


def policies(cursor: Any, table: QualifiedName) -> set[Policy]:
    """The permissive policies; a restrictive one only takes away."""
    cursor.execute(
        "SELECT p.polname, p.polcmd, ARRAY(SELECT r.rolname::text FROM pg_roles r WHERE r.oid = ANY (p.polroles)), "
        "coalesce(pg_get_expr(p.polqual, p.polrelid), ''), coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '') "
        "FROM pg_policy p WHERE p.polpermissive AND p.polrelid = (SELECT c.oid " + TABLE + ")",
        table,
    )
    return {
        Policy(name=name, command=command, roles=tuple(roles), using=using, checked=checked)
        for name, command, roles, using, checked in cursor.fetchall()
    }


def privileges(cursor: Any, table: QualifiedName, wanted: tuple[str, ...]) -> frozenset[str] | None:
    """What custody_app holds on the table or on a column of it, whoever it was granted to; None without a table."""
    cursor.execute(
        "SELECT ARRAY(SELECT p FROM unnest(%s::text[]) p WHERE has_table_privilege('custody_app', c.oid, p) "
        "OR CASE WHEN p IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') "
        "THEN has_any_column_privilege('custody_app', c.oid, p) END) " + TABLE,
        (list(wanted), *table),
    )
    row = cursor.fetchone()
    return None if row is None else frozenset(row[0])


def executable(cursor: Any) -> set[str]:
    """Functions of schema custody that custody_app may call, trigger functions aside: nobody can call those."""
    cursor.execute(
        "SELECT 'custody.' || p.proname || '(' || oidvectortypes(p.proargtypes) || ')' FROM pg_proc p "
        "WHERE p.pronamespace = 'custody'::regnamespace AND p.prorettype <> 'trigger'::regtype "
        "AND has_function_privilege('custody_app', p.oid, 'EXECUTE')"
    )
    return {name for (name,) in cursor.fetchall()}


def function_body(cursor: Any, name: str) -> str | None:
    """The body of a function of schema custody as it was written; None where there is none."""
    cursor.execute(
        "SELECT p.prosrc FROM pg_proc p WHERE p.pronamespace = 'custody'::regnamespace AND p.proname = %s", [name]
    )
    row = cursor.fetchone()
    return None if row is None else str(row[0])


def persistence(cursor: Any, table: QualifiedName) -> str | None:
    """`p` logged, `u` not logged; None without such a table."""
    cursor.execute(f"SELECT c.relpersistence {TABLE}", table)
    row = cursor.fetchone()
    return None if row is None else str(row[0])


def leaves_without(cursor: Any, table: QualifiedName, triggers: Sequence[str]) -> list[str]:
    """Partitions of a table, at every level, that lack one of these triggers or have it switched off."""
    cursor.execute(
        "SELECT t.relid::regclass::text FROM pg_partition_tree((SELECT c.oid::regclass " + TABLE + ")) t "
        "WHERE t.level > 0 AND (SELECT count(*) FROM pg_trigger g WHERE g.tgrelid = t.relid AND g.tgenabled = 'A' "
        "AND g.tgname = ANY (%s)) < %s ORDER BY 1",
        [*table, list(triggers), len(triggers)],
    )
    return [name for (name,) in cursor.fetchall()]


def expression_has(cursor: Any, name: str, words: Sequence[str]) -> bool:
    """Whether a function written as one SQL expression mentions all of these; in any case."""
    cursor.execute(
        "SELECT lower(pg_get_function_sqlbody(p.oid)) FROM pg_proc p "
        "WHERE p.pronamespace = 'custody'::regnamespace AND p.proname = %s",
        [name],
    )
    row = cursor.fetchone()
    return bool(row and row[0] and all(word in row[0] for word in words))
