"""The application's login cannot touch the record: each attempt is refused with 42501."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import errors

from foundation.actor import Actor
from foundation.context import acting
from tests.databases import database_of_its_own, default_database
from tests.personas import tags

RECORD = ("audit_event", "shop_historicalusertag")
ATTEMPTS = [
    *(f"INSERT INTO {table} SELECT * FROM {table} LIMIT 1" for table in RECORD),
    *(f"INSERT INTO {table} DEFAULT VALUES" for table in RECORD),
    *(f"UPDATE {table} SET tenant_id = 2" for table in RECORD),
    *(f"UPDATE {table} SET tenant_id = tenant_id WHERE false" for table in RECORD),
    *(f"DELETE FROM {table}" for table in RECORD),
    *(f"TRUNCATE {table}" for table in RECORD),
    *(f"DROP TABLE {table}" for table in RECORD),
    *(f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in RECORD),
    *(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY" for table in RECORD),
    *(f"CREATE RULE quiet AS ON INSERT TO {table} DO INSTEAD NOTHING" for table in RECORD),
    *(f"CREATE POLICY mine ON {table} USING (true)" for table in RECORD),
    *(f"SELECT * FROM {table} FOR UPDATE" for table in RECORD),
    "MERGE INTO audit_event e USING (VALUES (1)) v(id) ON e.id = v.id WHEN MATCHED THEN DELETE",
    "WITH gone AS (DELETE FROM audit_event RETURNING 1) SELECT count(*) FROM gone",
    "ALTER TABLE shop_usertag DISABLE TRIGGER custody_capture_update",
    "ALTER TABLE shop_usertag DISABLE ROW LEVEL SECURITY",
    "DROP TRIGGER custody_capture_update ON shop_usertag",
    "CREATE TRIGGER first BEFORE UPDATE ON shop_usertag EXECUTE FUNCTION custody.refuse_write()",
    "DROP POLICY custody_tenant ON shop_usertag",
    "CREATE OR REPLACE FUNCTION custody.tenant() RETURNS integer LANGUAGE sql RETURN 1",
    "ALTER FUNCTION custody.trusted_context() RESET ALL",
    "CREATE FUNCTION custody.mine() RETURNS integer LANGUAGE sql RETURN 1",
    "SELECT custody.record_event(1, now(), '1'::xid8, 'x', 'x', '+', 1, '{}', 1, NULL)",
    "SELECT custody.trusted_context()",
    "UPDATE audit_governedtable SET row_limit = 1000000000",
    "INSERT INTO audit_governedtable VALUES ('x', 'x', 1)",
    "DELETE FROM audit_governedtable",
    "DELETE FROM custody.capture_failure",
    "UPDATE custody.capture_failure SET seen_at = now()",
    "DELETE FROM shop_usertag",
    "DELETE FROM shop_usertag WHERE id = 1",
    "TRUNCATE shop_usertag",
    *(f"DELETE FROM {table}" for table in ("access_account", "access_person", "access_tenant", "changes_heartbeat")),
    "TRUNCATE shop_customer CASCADE",
    "SET session_replication_role = replica",
    "SET ROLE custody_owner",
    "SET SESSION AUTHORIZATION custody_owner",
    "ALTER DEFAULT PRIVILEGES FOR ROLE custody_owner GRANT ALL ON TABLES TO custody_app",
    "ALTER TABLE shop_usertag OWNER TO custody_app",
    "DELETE FROM django_migrations",
    "UPDATE access_decision SET allowed = true",
    "DELETE FROM access_decision",
    "CREATE TABLE public.mine (id int)",
    "CREATE SCHEMA mine",
    "COPY shop_usertag TO PROGRAM 'cat'",
    "SELECT setval('audit_event_id_seq', 1)",
    "ALTER SEQUENCE audit_event_id_seq RESTART",
    "SELECT set_config('log_statement', 'none', false)",
    "SELECT pg_reload_conf()",
    "LOCK TABLE audit_event IN ACCESS EXCLUSIVE MODE",
    "COMMENT ON TABLE audit_event IS 'x'",
    "REINDEX TABLE audit_event",
]


@pytest.fixture(scope="module")
def as_application(servers: Any, django_db_blocker: Any) -> Any:
    """One database for all attempts: none of them leaves anything."""
    with database_of_its_own(servers, "attempts") as database:
        with (
            django_db_blocker.unblock(),
            default_database(database.name),
            acting(Actor.service("x", tenant_id=1)),
        ):
            tags(2)
        with database.app() as connection:
            connection.execute("SELECT set_config('custody.tenant', '1', false)")
            yield connection


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_refused(as_application: psycopg.Connection, attempt: str) -> None:
    with pytest.raises(psycopg.Error) as refused, as_application.transaction():
        as_application.execute(attempt)
    assert refused.value.sqlstate == "42501"


def test_reading_is_allowed(as_application: psycopg.Connection) -> None:
    assert as_application.execute("SELECT count(*) FROM shop_historicalusertag").fetchone() == (2,)
    assert as_application.execute("SELECT sum(affected_rows) FROM audit_event").fetchone() == (3,)


def test_row_security_cannot_be_switched_off(as_application: psycopg.Connection) -> None:
    as_application.execute("SET row_security = off")
    with pytest.raises(errors.InsufficientPrivilege):
        as_application.execute("SELECT * FROM shop_usertag")
    as_application.execute("RESET row_security")


def test_all_tenants_is_the_owner_s_word_only(as_application: psycopg.Connection) -> None:
    as_application.execute(
        "SELECT set_config('custody.tenant', '2', false), set_config('custody.all_tenants', 'on', false)"
    )
    assert as_application.execute("SELECT count(*) FROM shop_usertag").fetchone() == (0,)
    assert as_application.execute("SELECT count(*) FROM audit_event").fetchone() == (0,)
    as_application.execute(
        "SELECT set_config('custody.tenant', '1', false), set_config('custody.all_tenants', '', false)"
    )


@pytest.mark.parametrize("shadow", ["nextval(text)", "now()", "pg_has_role(name, text, text)", "clock_timestamp()"])
def test_functions_of_the_session_do_not_shadow_the_database_s(as_application: psycopg.Connection, shadow: str) -> None:
    """A temporary function or operator of the same name is not what the owner's functions call."""
    name = shadow.split("(", maxsplit=1)[0]
    returns = {"nextval": "bigint", "pg_has_role": "boolean"}.get(name, "timestamptz")
    body = {"bigint": "SELECT 1::bigint", "boolean": "SELECT true"}.get(returns, "SELECT '1999-01-01'::timestamptz")
    with as_application.transaction(force_rollback=True):
        as_application.execute(f"CREATE FUNCTION pg_temp.{shadow} RETURNS {returns} LANGUAGE sql AS $$ {body} $$")
        as_application.execute("SET LOCAL search_path = pg_temp, pg_catalog, public")
        as_application.execute(
            "UPDATE public.shop_usertag SET tag = 'y' WHERE id = (SELECT min(id) FROM public.shop_usertag)"
        )
        row = as_application.execute(
            "SELECT id > 1, occurred_at > '2020-01-01', db_role FROM public.audit_event ORDER BY id DESC LIMIT 1"
        ).fetchone()
        assert row == (True, True, "custody_app")


class TestTheOwner:
    """The owner writes through functions only; by hand even the owner is refused."""

    @pytest.mark.parametrize("table", RECORD)
    @pytest.mark.parametrize("attempt", ["UPDATE {} SET tenant_id = 1", "DELETE FROM {}", "TRUNCATE {}"])
    def test_is_refused_too(self, real_db: Any, table: str, attempt: str) -> None:
        with real_db.owner() as owner, pytest.raises(errors.InsufficientPrivilege):
            owner.execute(attempt.format(table))
