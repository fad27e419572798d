"""`check --database` names each guard that is out of step with its declaration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection, connections, transaction

from audit import checks, manifest
from changes.checks import coverage
from tests.databases import database_of_its_own, default_database


def _found() -> set[str]:
    return {str(message.id) for message in checks.catalog(databases=["default"])}


@pytest.fixture(scope="module")
def owners_database(servers: Any, django_db_blocker: Any) -> Iterator[None]:
    """One database for all damages, which are rolled back; Django is logged in as its owner."""
    with (
        database_of_its_own(servers, "damages") as database,
        django_db_blocker.unblock(),
        default_database(database.name),
    ):
        settings = connections.settings["default"]
        before = {key: settings[key] for key in ("USER", "PASSWORD")}
        login = psycopg.conninfo.conninfo_to_dict(servers.owner_url(database.name))
        settings.update(USER=login["user"], PASSWORD=login["password"])
        connections.close_all()
        try:
            yield
        finally:
            settings.update(before)


@pytest.fixture
def damaged(owners_database: None) -> Iterator[Callable[[str], set[str]]]:
    """Do the damage, and tell which checks name it."""
    with transaction.atomic():
        yield _damage
        transaction.set_rollback(True)


def _damage(statements: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(statements)
    return _found()


@pytest.mark.django_db
def test_a_migrated_database_is_in_step() -> None:
    assert checks.catalog(databases=["default"]) == []


def test_declarations_are_sound() -> None:
    assert checks.declarations() == []


@pytest.mark.parametrize("operation", ["insert", "update", "delete", "truncate"])
@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("DROP TRIGGER custody_capture_{0} ON shop_order", "custody.E012"),
        ("ALTER TABLE shop_order DISABLE TRIGGER custody_capture_{0}", "custody.E013"),
        ("ALTER TABLE shop_order ENABLE TRIGGER custody_capture_{0}", "custody.E013"),
        ("ALTER TABLE shop_order ENABLE REPLICA TRIGGER custody_capture_{0}", "custody.E013"),
        (
            "CREATE OR REPLACE FUNCTION custody.capture_shop_order_{0}() RETURNS trigger LANGUAGE plpgsql "
            "SECURITY DEFINER AS 'BEGIN RETURN NULL; END'",
            "custody.E014",
        ),
        ("ALTER FUNCTION custody.capture_shop_order_{0}() SECURITY INVOKER", "custody.E014"),
        ("ALTER FUNCTION custody.capture_shop_order_{0}() RESET search_path", "custody.E014"),
    ],
)
def test_damaged_capture_is_named(damaged: Callable[[str], set[str]], operation: str, damage: str, named: str) -> None:
    assert damaged(damage.format(operation)) == {named}


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("ALTER TABLE shop_order DROP COLUMN note CASCADE", "custody.E011"),
        ("ALTER TABLE shop_historicalorder DROP COLUMN note CASCADE", "custody.E011"),
        ("ALTER TABLE shop_order ADD COLUMN colour text", "custody.E011"),
        ("DROP TABLE shop_historicalbehaviourlog", "custody.E010"),
        ("DROP POLICY custody_tenant ON shop_order", "custody.E015"),
        ("ALTER TABLE shop_order DISABLE ROW LEVEL SECURITY", "custody.E015"),
        ("ALTER TABLE shop_order NO FORCE ROW LEVEL SECURITY", "custody.E015"),
        ("DROP POLICY custody_read ON shop_historicalorder", "custody.E015"),
        ("ALTER TABLE shop_historicalorder NO FORCE ROW LEVEL SECURITY", "custody.E015"),
        (
            "DROP POLICY custody_tenant ON shop_order; CREATE POLICY custody_tenant ON shop_order USING (true)",
            "custody.E015",
        ),
        ("CREATE POLICY generous ON shop_order USING (true)", "custody.E015"),
        ("DROP TRIGGER custody_append_only ON shop_historicalorder", "custody.E012"),
        ("DROP TRIGGER custody_append_only ON audit_event", "custody.E012"),
        ("DROP POLICY custody_read ON audit_event", "custody.E015"),
        ("DROP TRIGGER custody_key ON shop_order", "custody.E012"),
        ("GRANT DELETE ON shop_order TO custody_app", "custody.E016"),
        ("GRANT TRUNCATE ON shop_order TO custody_app", "custody.E016"),
        ("GRANT INSERT ON shop_historicalorder TO custody_app", "custody.E016"),
        ("GRANT UPDATE ON audit_event TO custody_app", "custody.E016"),
        ("GRANT DELETE ON shop_order TO PUBLIC", "custody.E016"),
        ("GRANT UPDATE (note) ON shop_historicalorder TO custody_app", "custody.E016"),
        ("REVOKE UPDATE ON shop_order FROM custody_app", "custody.E016"),
        ("REVOKE ALL ON shop_order FROM custody_app", "custody.E016"),
        ("UPDATE audit_governedtable SET row_limit = 1000000 WHERE entity = 'shop.order'", "custody.E018"),
        ("DELETE FROM audit_governedtable WHERE entity = 'shop.order'", "custody.E018"),
        ("UPDATE audit_governedtable SET window_rows = 1000000 WHERE entity = 'shop.order'", "custody.E018"),
        ("GRANT SELECT ON custody.write_bucket TO custody_app", "custody.E016"),
        ("DROP TABLE custody.write_bucket", "custody.E026"),
        ("DROP TRIGGER custody_step ON audit_exemption", "custody.E012"),
        ("ALTER TABLE audit_exemption ENABLE TRIGGER custody_step", "custody.E012"),
        *(
            (
                f"DO $$ BEGIN EXECUTE replace(pg_get_functiondef('custody.{name}'::regproc), 'BEGIN', 'BEGIN NULL;'); END $$",
                "custody.E026",
            )
            for name in ("weigh_write", "weigh_sum", "refuse_sum", "refuse_uncovered", "exemption_step")
        ),
        ("CREATE OR REPLACE FUNCTION custody.mass_write() RETURNS text LANGUAGE sql RETURN 'any'", "custody.E026"),
        (
            "CREATE OR REPLACE FUNCTION custody.writer(context jsonb) RETURNS text LANGUAGE sql RETURN 'x'",
            "custody.E026",
        ),
        ("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA custody TO custody_app", "custody.E019"),
    ],
)
def test_damage_is_named(damaged: Callable[[str], set[str]], damage: str, named: str) -> None:
    assert named in damaged(damage)


@pytest.mark.parametrize("name", ["hold_change", "coverage", "only_columns"])
def test_damage_to_what_a_running_change_covers_is_named(owners_database: None, name: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        assert coverage(databases=["default"]) == []
        cursor.execute(
            f"DO $$ BEGIN EXECUTE replace(pg_get_functiondef('custody.{name}'::regproc), 'BEGIN', 'BEGIN NULL;'); END $$"
        )
        assert {message.id for message in coverage(databases=["default"])} == {"custody.E026"}
        transaction.set_rollback(True)


def test_a_partition_without_triggers_is_named(damaged: Callable[[str], set[str]]) -> None:
    """Whoever turns a governed table into a partitioned one is told; its leaves would be written unseen."""
    partitioned = (
        "ALTER TABLE shop_usertag RENAME TO shop_usertag_1; "
        "ALTER TABLE shop_usertag_1 ALTER id DROP IDENTITY; "
        "CREATE TABLE shop_usertag (LIKE shop_usertag_1) PARTITION BY RANGE (id); "
        "ALTER TABLE shop_usertag ATTACH PARTITION shop_usertag_1 DEFAULT; "
        "DROP TRIGGER custody_capture_update ON shop_usertag_1"
    )
    assert "custody.E027" in damaged(partitioned)


def test_an_unrecorded_write_is_named_until_somebody_has_seen_it(damaged: Callable[[str], set[str]]) -> None:
    failure = "INSERT INTO custody.capture_failure (table_name, operation, sqlstate, message) VALUES ('s.t', '~', 'XX000', 'x')"
    assert damaged(failure) == {"custody.E017"}
    assert damaged("UPDATE custody.capture_failure SET seen_at = now()") == set()


def test_a_database_without_the_record_is_named(damaged: Callable[[str], set[str]]) -> None:
    assert damaged("DROP TABLE custody.capture_failure") == {"custody.E009"}


def test_migrate_brings_grants_and_limits_back(real_db: Any) -> None:
    from tests.servers import manage

    with real_db.owner() as owner:
        owner.execute("GRANT ALL ON shop_order, audit_event, shop_historicalorder TO custody_app")
        owner.execute("GRANT DELETE ON shop_order TO PUBLIC")
        owner.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA custody TO custody_app")
        owner.execute("UPDATE audit_governedtable SET row_limit = 1000000")
    manage(real_db.env | {"CUSTODY_DB_LOGIN": "owner"}, "migrate", "--verbosity=0")
    assert _found() == set()
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_limit FROM audit_governedtable WHERE entity = 'shop.order'")
        assert cursor.fetchone() == (10,)


def test_the_manifest_gives_the_application_no_delete_of_entities() -> None:
    grants = manifest.grants()
    assert grants["public", "shop_order"] == manifest.WRITE
    assert grants["public", "shop_historicalorder"] == grants["public", "audit_event"] == manifest.READ
