"""I13: tables, indexes, triggers, owners and grants are what they were, and no foreign key points nowhere.

Asked from the system catalogs as a superuser; what must be there of the last guard is written down here once more.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from chaos.checker import TABLES

# One line per fact. Columns are left out: a fault adds and drops some.
FACTS = """
SELECT concat_ws(' ', 'trigger', t.tgrelid::regclass, t.tgname, t.tgenabled, t.tgfoid::regproc)
  FROM pg_trigger t WHERE NOT t.tgisinternal
UNION ALL SELECT concat_ws(' ', 'table', c.oid::regclass, c.relkind, c.relowner::regrole, c.relacl, c.relrowsecurity, c.relforcerowsecurity)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname IN ('public', 'custody') AND c.relkind IN ('r', 'p', 'S', 'v', 'm')
UNION ALL SELECT concat_ws(' ', 'policy', p.polrelid::regclass, p.polname, p.polcmd, p.polpermissive,
       pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) FROM pg_policy p
UNION ALL SELECT concat_ws(' ', 'function', p.oid::regprocedure, p.proowner::regrole, p.prosecdef, p.proacl, p.proconfig, md5(p.prosrc))
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname IN ('public', 'custody')
UNION ALL SELECT concat_ws(' ', 'constraint', c.conrelid::regclass, c.conname, c.convalidated)
  FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace WHERE n.nspname IN ('public', 'custody')
UNION ALL SELECT concat_ws(' ', 'login', r.rolname, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcanlogin)
  FROM pg_roles r WHERE r.rolname LIKE 'custody%'
UNION ALL SELECT concat_ws(' ', 'parameter', p.parname, p.paracl) FROM pg_parameter_acl p
UNION ALL SELECT concat_ws(' ', 'limit', g.table_name, g.row_limit, g.window_rows) FROM audit_governedtable g
"""
UNGUARDED = """
SELECT w.operation FROM unnest(ARRAY[4, 8, 16, 32], ARRAY['insert', 'delete', 'update', 'truncate']) w(bit, operation)
 WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = %(table)s::regclass AND t.tgname LIKE 'custody%%'
                      AND t.tgenabled = 'A' AND t.tgtype & w.bit > 0)
UNION ALL SELECT p FROM unnest(ARRAY['DELETE', 'TRUNCATE', 'TRIGGER', 'REFERENCES']) p
 WHERE has_table_privilege('custody_app', %(table)s, p)
UNION ALL SELECT 'history ' || p FROM unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) p
 WHERE has_table_privilege('custody_app', %(history)s, p)
UNION ALL SELECT 'row level security' FROM pg_class c
 WHERE c.oid = ANY(ARRAY[%(table)s, %(history)s]::regclass[]) AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
UNION ALL SELECT 'owner' FROM pg_class c WHERE c.oid = %(table)s::regclass AND c.relowner <> 'custody_owner'::regrole
"""
FOREIGN_KEYS = """
SELECT c.conname, c.conrelid::regclass::text, c.confrelid::regclass::text,
       (SELECT string_agg(format('c.%I = p.%I', a.attname, b.attname), ' AND ')
          FROM unnest(c.conkey, c.confkey) k(child, parent)
          JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.child
          JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = k.parent),
       (SELECT string_agg(format('c.%I IS NOT NULL', a.attname), ' AND ')
          FROM unnest(c.conkey) k(child) JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.child)
  FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace WHERE c.contype = 'f' AND n.nspname = 'public'
"""
TABLES_AND_INDEXES = """
SELECT c.oid::regclass::text, c.relkind::text, a.amname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_am a ON a.oid = c.relam
 WHERE n.nspname IN ('public', 'custody') AND c.relkind IN ('r', 'i') AND c.relpersistence = 'p'
"""


class Catalog:
    """Remembers the catalogs as they were set up."""

    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo
        with psycopg.connect(conninfo, autocommit=True) as connection:
            self.facts = _facts(connection)
            row = connection.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'").fetchone()
            self.has_amcheck = bool(row and row[0])

    def violations(self) -> list[str]:
        """What is not as it was set up, and what of the last guard is missing."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            now = _facts(connection)
            found = [f"I13 gone: {fact}" for fact in sorted(self.facts - now)]
            found += [f"I13 new: {fact}" for fact in sorted(now - self.facts)]
            for table in TABLES:
                rows = connection.execute(UNGUARDED, {"table": table.name, "history": table.history}).fetchall()
                found += [f"I13 {table.name}: {what}" for (what,) in rows]
            return found

    def damage(self) -> list[str]:
        """Orphans of every foreign key; with amcheck every table and B-tree of ours, block by block."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            found = [f"I13 {orphans}" for orphans in _orphans(connection)]
            if self.has_amcheck:
                connection.execute("CREATE EXTENSION IF NOT EXISTS amcheck SCHEMA chaos")
                found += [f"I13 amcheck: {broken}" for broken in _amcheck(connection)]
            return found


def _facts(connection: psycopg.Connection) -> set[str]:
    return {fact for (fact,) in connection.execute(FACTS).fetchall()}


def _orphans(connection: psycopg.Connection) -> Iterator[str]:
    for name, child, parent, match, there in connection.execute(FOREIGN_KEYS).fetchall():
        query = f"SELECT count(*) FROM {child} c WHERE {there} AND NOT EXISTS (SELECT FROM {parent} p WHERE {match})"
        row = connection.execute(query).fetchone()  # type: ignore[call-overload]
        if row and row[0]:
            yield f"{row[0]} orphans of {name}"


def _amcheck(connection: psycopg.Connection) -> Iterator[str]:
    for name, kind, method in connection.execute(TABLES_AND_INDEXES).fetchall():
        try:
            if kind == "r":
                rows = connection.execute("SELECT msg FROM chaos.verify_heapam(%s)", [name]).fetchall()
                yield from (f"{name}: {message}" for (message,) in rows)
            elif method == "btree":
                connection.execute("SELECT chaos.bt_index_check(%s, true)", [name])
        except psycopg.Error as error:
            yield f"{name}: {error}"
