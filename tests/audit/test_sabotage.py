"""Each guard is taken away once: what it protects must then fall, or the tests of it prove nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from foundation.actor import Actor
from foundation.context import acting
from tests.personas import customer, orders, tag, tags

ONE, TWO = (Actor.service("one", tenant_id=1), Actor.service("two", tenant_id=2))


def _application(real_db: Any, *statements: str, tenant: int = 1) -> Any:
    """Run as the application in one transaction; the last statement's first row, or the refusal's SQLSTATE."""
    with real_db.app() as app:
        try:
            with app.transaction():
                app.execute("SELECT set_config('custody.tenant', %s, true)", [str(tenant)])
                for statement in statements:
                    cursor = app.execute(statement)
                return cursor.fetchone() if cursor.description else cursor.rowcount
        except psycopg.Error as refused:
            return refused.sqlstate


def tenants_are_apart(real_db: Any) -> bool:
    with acting(ONE):
        tags(2)
    return _application(real_db, "SELECT count(*) FROM shop_usertag", tenant=2) == (0,)


def histories_are_apart(real_db: Any) -> bool:
    with acting(ONE):
        tags(2)
    return _application(real_db, "SELECT count(*) FROM shop_historicalusertag", tenant=2) == (0,)


def events_are_apart(real_db: Any) -> bool:
    with acting(ONE):
        tags(2)
    return _application(real_db, "SELECT count(*) FROM audit_event", tenant=2) == (0,)


def rows_stay_in_their_tenant(real_db: Any) -> bool:
    with acting(ONE):
        buyer = customer()
    statement = (
        "INSERT INTO shop_usertag (tenant_id, customer_id, tag, weight, source) "
        f"VALUES (2, {buyer.pk}, 'x', 1, '')"
    )  # fmt: skip
    return _application(real_db, statement, tenant=2) == "23503"


def nothing_is_removed(real_db: Any) -> bool:
    with acting(ONE):
        tags(2)
    return _application(real_db, "DELETE FROM shop_usertag") == "42501"


def nothing_is_emptied(real_db: Any) -> bool:
    return _application(real_db, "TRUNCATE shop_usertag") == "42501"


def history_is_not_forged(real_db: Any) -> bool:
    with acting(ONE):
        tag()
    columns = "history_date, history_type, id, tenant_id, status, retention_policy, tag, weight, source, customer_id"
    statement = f"INSERT INTO shop_historicalusertag ({columns}) SELECT {columns} FROM shop_historicalusertag LIMIT 1"
    return _application(real_db, statement) == "42501"


def history_is_not_rewritten_by_the_owner(real_db: Any) -> bool:
    with acting(ONE):
        tag()
    with real_db.owner() as owner:
        try:
            return owner.execute("UPDATE shop_historicalusertag SET tag = 'never was'").rowcount == 0
        except psycopg.errors.InsufficientPrivilege:
            return True


def writes_are_recorded(real_db: Any) -> bool:
    with acting(ONE):
        made = tag()
        _application(real_db, f"UPDATE shop_usertag SET tag = 'changed' WHERE id = {made.pk}")
        return bool(made.history.filter(tag="changed").exists())


def quiet_superusers_are_recorded(real_db: Any) -> bool:
    with acting(ONE):
        made = tag()
    with real_db.admin() as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute("UPDATE shop_usertag SET tag = 'changed' WHERE id = %s", [made.pk])
    with acting(ONE):
        return bool(made.history.filter(tag="changed").exists())


def truncation_is_recorded(real_db: Any) -> bool:
    with acting(ONE):
        made = tag()
    with real_db.owner() as owner:
        owner.execute("TRUNCATE shop_usertag")
    with acting(ONE):
        return bool(made.history.filter(history_type="-").exists())


def masses_need_a_change(real_db: Any) -> bool:
    with acting(ONE):
        orders(11)
    return _application(real_db, "UPDATE shop_order SET note = 'x'") == "42501"


def loops_need_a_change(real_db: Any) -> bool:
    with acting(ONE):
        made = orders(11)
    return _application(real_db, *(f"UPDATE shop_order SET note = 'x' WHERE id = {one.pk}" for one in made)) == "42501"


def slices_need_a_change(real_db: Any) -> bool:
    """Ten rows at a time: the window of orders is 200."""
    with acting(ONE):
        made = orders(10)
    slice_ = f"UPDATE shop_order SET note = 'x' WHERE id >= {made[0].pk}"
    return "42501" in [_application(real_db, slice_) for _ in range(21)]


def the_owner_says_why(real_db: Any) -> bool:
    with acting(ONE):
        orders(11)
    return _owner(real_db, "UPDATE shop_order SET note = 'x'") == "42501"


def truncation_is_said(real_db: Any) -> bool:
    with acting(ONE):
        tags(501)
    return _owner(real_db, "TRUNCATE shop_usertag") == "42501"


def unknown_changes_open_nothing(real_db: Any) -> bool:
    with acting(ONE):
        orders(11)
    claimed = """SELECT set_config('custody.context', '{"tenant": 1, "change": 7}', true)"""
    return _application(real_db, claimed, "UPDATE shop_order SET note = 'x'") == "42501"


def _owner(real_db: Any, statement: str) -> Any:
    with real_db.owner() as owner:
        owner.execute("SET custody.all_tenants = 'on'")
        try:
            return owner.execute(statement).rowcount
        except psycopg.Error as refused:
            return refused.sqlstate


def keys_stay(real_db: Any) -> bool:
    with acting(ONE):
        made = customer()
    return _application(real_db, f"UPDATE shop_customer SET id = id + 1000 WHERE id = {made.pk}") == "23000"


def living_values_are_unique(real_db: Any) -> bool:
    with acting(ONE):
        customer(email="a@test.example")
        other = customer()
    return _application(real_db, f"UPDATE shop_customer SET email = 'a@test.example' WHERE id = {other.pk}") == "23505"


WITHOUT_WEIGHING = (
    "CREATE OR REPLACE FUNCTION custody.weigh_write(place text, tenant integer, context jsonb, at timestamptz, "
    "amount bigint) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb'"
)
WITHOUT_SUM = (
    "CREATE OR REPLACE FUNCTION custody.weigh_sum(place text, tenant integer, who text, at timestamptz, amount bigint, "
    "total bigint, due boolean) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb'"
)
GUARDS: list[tuple[Callable[[Any], bool], str]] = [
    (tenants_are_apart, "ALTER TABLE shop_usertag DISABLE ROW LEVEL SECURITY"),
    (tenants_are_apart, "CREATE POLICY generous ON shop_usertag USING (true)"),
    (tenants_are_apart, "CREATE OR REPLACE FUNCTION custody.tenant() RETURNS integer LANGUAGE sql STABLE RETURN 1"),
    (histories_are_apart, "ALTER TABLE shop_historicalusertag DISABLE ROW LEVEL SECURITY"),
    (events_are_apart, "CREATE POLICY generous ON audit_event USING (true)"),
    (rows_stay_in_their_tenant, "ALTER TABLE shop_usertag DROP CONSTRAINT shop_usertag_customer_tenant_fk"),
    (nothing_is_removed, "GRANT DELETE ON shop_usertag TO custody_app"),
    (nothing_is_emptied, "GRANT TRUNCATE ON shop_usertag TO custody_app"),
    (
        history_is_not_forged,
        "GRANT INSERT ON shop_historicalusertag TO custody_app; "
        "CREATE POLICY forged ON shop_historicalusertag FOR INSERT WITH CHECK (true)",
    ),
    (history_is_not_rewritten_by_the_owner, "DROP TRIGGER custody_append_only ON shop_historicalusertag"),
    (writes_are_recorded, "DROP TRIGGER custody_capture_update ON shop_usertag"),
    (writes_are_recorded, "ALTER TABLE shop_usertag DISABLE TRIGGER custody_capture_update"),
    (quiet_superusers_are_recorded, "ALTER TABLE shop_usertag ENABLE TRIGGER custody_capture_update"),
    (truncation_is_recorded, "DROP TRIGGER custody_capture_truncate ON shop_usertag"),
    (masses_need_a_change, "UPDATE audit_governedtable SET row_limit = 1000000"),
    (masses_need_a_change, WITHOUT_WEIGHING),
    (masses_need_a_change, "DROP TRIGGER custody_capture_update ON shop_order"),
    (loops_need_a_change, WITHOUT_SUM),
    (loops_need_a_change, WITHOUT_WEIGHING),
    (slices_need_a_change, "UPDATE audit_governedtable SET window_rows = 1000000"),
    (slices_need_a_change, WITHOUT_SUM),
    (the_owner_says_why, "DROP TRIGGER custody_capture_update ON shop_order"),
    (the_owner_says_why, "CREATE OR REPLACE FUNCTION custody.mass_write() RETURNS text LANGUAGE sql RETURN 'any'"),
    (truncation_is_said, "DROP TRIGGER custody_capture_truncate ON shop_usertag"),
    (
        unknown_changes_open_nothing,
        "CREATE OR REPLACE FUNCTION custody.hold_change(change bigint, tenant integer) RETURNS boolean LANGUAGE sql "
        "AS 'SELECT true'; CREATE OR REPLACE FUNCTION custody.coverage(change bigint, tenant integer, place text, relation oid, "
        "operation text, keys text[]) RETURNS SETOF text LANGUAGE sql AS $$ SELECT 'SELECT true' $$",
    ),
    (keys_stay, "DROP TRIGGER custody_key ON shop_customer"),
    (living_values_are_unique, "DROP INDEX shop_customer_live_email"),
]


@pytest.mark.parametrize("protects", dict.fromkeys(guard for guard, _ in GUARDS))
def test_the_guard_holds(real_db: Any, protects: Callable[[Any], bool]) -> None:
    assert protects(real_db)


@pytest.mark.parametrize(("protects", "sabotage"), GUARDS)
def test_without_the_guard_it_falls(real_db: Any, protects: Callable[[Any], bool], sabotage: str) -> None:
    with real_db.owner() as owner:
        for statement in sabotage.split("; "):
            owner.execute(statement)
    assert not protects(real_db)
