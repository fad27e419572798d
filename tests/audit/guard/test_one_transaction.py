"""No form of SQL changes more rows of a table in one transaction than its limit: not at once, not bit by bit.

The limit of orders is ten. Every attempt is made by the application's login and by a program with rights of its own.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.audit.guard.conftest import LIMIT, Shop

FIRST = "(SELECT id FROM shop_order ORDER BY id LIMIT 11)"
LOOP = "DO $$ DECLARE r record; BEGIN FOR r IN SELECT id FROM shop_order ORDER BY id LIMIT {rows} LOOP {body} END LOOP; END $$"
COLUMNS = "tenant_id, id, customer_id, number, placed_at, state, total, currency, note"
ONE = "UPDATE shop_order SET note = 'x' WHERE id = r.id;"

BY_UPDATE = {
    "plain": f"UPDATE shop_order SET note = 'x' WHERE id IN {FIRST}",
    "all": "UPDATE shop_order SET note = 'x'",
    "join": f"UPDATE shop_order o SET note = 'x' FROM shop_customer c WHERE c.id = o.customer_id AND o.id IN {FIRST}",
    "ctid_list": "UPDATE shop_order SET note = 'x' WHERE ctid = ANY (ARRAY(SELECT ctid FROM shop_order LIMIT 11))",
    "merge": "MERGE INTO shop_order o USING shop_customer c ON c.id = o.customer_id WHEN MATCHED THEN UPDATE SET note = 'x'",
    "on_conflict": f"INSERT INTO shop_order ({COLUMNS}) SELECT {COLUMNS} FROM shop_order WHERE id IN {FIRST} "
    "ON CONFLICT (tenant_id, id) DO UPDATE SET note = 'x'",
    "two_parts_of_one_statement": "WITH a AS (UPDATE shop_order SET note = 'x' WHERE id IN (SELECT id FROM shop_order "
    "ORDER BY id LIMIT 6) RETURNING 1) UPDATE shop_order SET note = 'x' WHERE id IN "
    "(SELECT id FROM shop_order ORDER BY id DESC LIMIT 6)",
    "own_view": f"CREATE TEMP VIEW mine AS SELECT * FROM shop_order; UPDATE mine SET note = 'x' WHERE id IN {FIRST}",
    "no_change_at_all": f"UPDATE shop_order SET note = note WHERE id IN {FIRST}",
    "row_by_row": LOOP.format(rows=11, body=ONE),
    "current_of_a_cursor": "DO $$ DECLARE c CURSOR FOR SELECT * FROM shop_order LIMIT 11 FOR UPDATE; r record; BEGIN "
    "FOR r IN c LOOP UPDATE shop_order SET note = 'x' WHERE CURRENT OF c; END LOOP; END $$",
    "row_by_row_in_savepoints": LOOP.format(
        rows=11, body=f"BEGIN {ONE} EXCEPTION WHEN division_by_zero THEN NULL; END;"
    ),
    "the_same_row": "DO $$ BEGIN FOR n IN 1..11 LOOP UPDATE shop_order SET note = n::text "
    "WHERE id = (SELECT min(id) FROM shop_order); END LOOP; END $$",
    "two_at_a_time": LOOP.format(rows=6, body="UPDATE shop_order SET note = 'x' WHERE id IN (r.id, r.id + 100);"),
    "another_person_each_time": LOOP.format(
        rows=11,
        body="PERFORM set_config('custody.context', json_build_object('tenant', 1, 'person', r.id)::text, true); "
        + ONE,
    ),
    "no_person_each_time": LOOP.format(rows=11, body=f"PERFORM set_config('custody.context', '', true); {ONE}"),
    "another_tenant_claimed_each_time": LOOP.format(
        rows=11,
        body="PERFORM set_config('custody.context', json_build_object('tenant', r.id, 'person', 1)::text, true); "
        + ONE,
    ),
    "another_time_zone_each_time": LOOP.format(
        rows=11, body="PERFORM set_config('TimeZone', 'X' || (r.id % 12)::text || ':30', true); " + ONE
    ),
    "another_person_in_a_function_of_the_statement": "CREATE FUNCTION pg_temp.write(n bigint) RETURNS text LANGUAGE plpgsql "
    "AS $$ BEGIN PERFORM set_config('custody.context', json_build_object('tenant', 1, 'person', n)::text, true); "
    "UPDATE shop_order SET note = 'x' WHERE id = n; RETURN 'x'; END $$; UPDATE shop_order SET note = (SELECT "
    f"max(pg_temp.write(id)) FROM (SELECT id FROM shop_order ORDER BY id LIMIT {LIMIT}) q) "
    "WHERE id = (SELECT max(id) FROM shop_order)",
    "another_person_in_each_part_of_a_statement": "CREATE FUNCTION pg_temp.write(n bigint) RETURNS bigint LANGUAGE plpgsql "
    "AS $$ BEGIN PERFORM set_config('custody.context', json_build_object('tenant', 1, 'person', n)::text, true); "
    "UPDATE shop_order SET note = 'x' WHERE id = n; RETURN n; END $$; "
    f"SELECT pg_temp.write(id) FROM {FIRST} q",
    "settings_reset_each_time": LOOP.format(
        rows=11,
        body="PERFORM set_config('custody.mass_write', '', true), set_config('custody.chunk', '', true); " + ONE,
    ),
    "the_owners_word": f"SET LOCAL custody.mass_write = 'let me'; UPDATE shop_order SET note = 'x' WHERE id IN {FIRST}",
    "all_tenants": f"SET LOCAL custody.all_tenants = 'on'; UPDATE shop_order SET note = 'x' WHERE id IN {FIRST}",
    "an_unknown_change": "SELECT set_config('custody.context', '{\"tenant\": 1, \"change\": 12345}', true); "
    f"UPDATE shop_order SET note = 'x' WHERE id IN {FIRST}",
    "a_negative_change": "SELECT set_config('custody.context', '{\"tenant\": 1, \"change\": -1}', true); "
    f"UPDATE shop_order SET note = 'x' WHERE id IN {FIRST}",
    "temporary_tables_of_the_same_name": "CREATE TEMP TABLE audit_governedtable AS SELECT 'public.shop_order'::text "
    "table_name, 'x'::text entity, 1000000::bigint row_limit, 1000000::bigint window_rows; "
    f"UPDATE shop_order SET note = 'x' WHERE id IN {FIRST}",
    "search_path": f"SET LOCAL search_path = pg_temp, public; UPDATE shop_order SET note = 'x' WHERE id IN {FIRST}",
    "row_security_off": f"SET LOCAL row_security = off; UPDATE shop_order SET note = 'x' WHERE id IN {FIRST}",
    "deferred_constraints": f"SET CONSTRAINTS ALL DEFERRED; UPDATE shop_order SET note = 'x' WHERE id IN {FIRST}",
    "prepared": f"PREPARE many AS UPDATE shop_order SET note = 'x' WHERE id IN {FIRST}; EXECUTE many",
    "explained": f"EXPLAIN ANALYZE UPDATE shop_order SET note = 'x' WHERE id IN {FIRST}",
    "built_at_run_time": f"DO $$ BEGIN EXECUTE $x$UPDATE shop_order SET note = 'x' WHERE id IN {FIRST}$x$; END $$",
}
BY_DELETE = {
    "delete": f"DELETE FROM shop_order WHERE id IN {FIRST}",
    "delete_by_merge": "MERGE INTO shop_order o USING shop_customer c ON c.id = o.customer_id WHEN MATCHED THEN DELETE",
    "delete_row_by_row": LOOP.format(rows=11, body="DELETE FROM shop_order WHERE id = r.id;"),
    "update_and_delete": "WITH a AS (UPDATE shop_order SET note = 'x' WHERE id IN (SELECT id FROM shop_order ORDER BY id "
    "LIMIT 6) RETURNING 1) DELETE FROM shop_order WHERE id IN (SELECT id FROM shop_order ORDER BY id DESC LIMIT 6)",
    "truncate": "TRUNCATE shop_order, shop_orderitem",
    "truncate_cascade": "TRUNCATE shop_customer CASCADE",
}
POWERS = {
    "replica_mode": "SET session_replication_role = replica",
    "disable_trigger": "ALTER TABLE shop_order DISABLE TRIGGER custody_capture_update",
    "disable_all_triggers": "ALTER TABLE shop_order DISABLE TRIGGER ALL",
    "drop_trigger": "DROP TRIGGER custody_capture_update ON shop_order",
    "a_trigger_of_its_own": "CREATE TRIGGER first BEFORE UPDATE ON shop_order EXECUTE FUNCTION custody.refuse_write()",
    "a_rule": "CREATE RULE quiet AS ON UPDATE TO shop_order DO INSTEAD NOTHING",
    "set_role": "SET ROLE custody_owner",
    "session_authorization": "SET SESSION AUTHORIZATION custody_owner",
    "the_limits": "UPDATE audit_governedtable SET row_limit = 1000000",
    "the_buckets": "DELETE FROM custody.write_bucket",
    "reading_the_buckets": "SELECT * FROM custody.write_bucket",
    "the_weighing": "SELECT custody.weigh_write('public.shop_order', 1, '{}', now(), -1000)",
    "the_events": "UPDATE audit_event SET affected_rows = 0",
    "inherit_the_table": "CREATE TABLE public.leaf () INHERITS (shop_order)",
}


def _attempt(shop: Shop, login: str, statements: str) -> None:
    with shop.transaction(login) as connection:
        connection.execute(statements.encode())
        raise AssertionError("it went through")


@pytest.mark.parametrize("login", ["app", "etl"])
@pytest.mark.parametrize("way", BY_UPDATE)
def test_no_update_passes_the_limit(shop: Shop, login: str, way: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
        _attempt(shop, login, BY_UPDATE[way])
    if way != "row_security_off":
        assert refused.value.diag.message_primary.startswith("custody: ")
        assert "of public.shop_order" in refused.value.diag.message_primary
        assert "New change" in refused.value.diag.message_hint


@pytest.mark.parametrize("way", BY_DELETE)
def test_no_delete_passes_the_limit_where_a_login_may_delete_at_all(shop: Shop, way: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"custody: \d+ rows of public\.shop_order"):
        _attempt(shop, "etl", BY_DELETE[way])


@pytest.mark.parametrize("way", BY_DELETE)
def test_the_application_may_not_delete_at_all(shop: Shop, way: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
        _attempt(shop, "app", BY_DELETE[way])


@pytest.mark.parametrize("login", ["app", "etl"])
@pytest.mark.parametrize("power", POWERS)
def test_nobody_may_put_the_guard_away(shop: Shop, login: str, power: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"permission denied|must be (owner|able)|not exist"):
        _attempt(shop, login, POWERS[power])


@pytest.mark.parametrize("login", ["app", "etl"])
def test_garbage_for_a_change_stops_the_statement(shop: Shop, login: str) -> None:
    claims = "SELECT set_config('custody.context', '{\"change\": \"x\"}', true)"
    with pytest.raises((psycopg.errors.InvalidTextRepresentation, psycopg.errors.InsufficientPrivilege)):
        _attempt(shop, login, f"{claims}; UPDATE shop_order SET note = 'x' WHERE id IN {FIRST}")


@pytest.mark.parametrize("login", ["app", "etl"])
def test_as_many_as_the_limit_pass_in_whatever_steps(shop: Shop, login: str) -> None:
    with shop.transaction(login) as connection:
        touched = connection.execute(
            "UPDATE shop_order SET note = 'x' WHERE id IN (SELECT id FROM shop_order ORDER BY id LIMIT 6)"
        ).rowcount
        connection.execute(LOOP.format(rows=LIMIT - touched, body=ONE))
        raise psycopg.Rollback


@pytest.mark.parametrize("login", ["app", "etl"])
def test_what_a_savepoint_took_back_does_not_count(shop: Shop, login: str) -> None:
    with shop.transaction(login) as connection:
        for _ in range(5):
            with connection.transaction():
                connection.execute(LOOP.format(rows=LIMIT, body=ONE))
                raise psycopg.Rollback
        connection.execute(LOOP.format(rows=LIMIT, body=ONE))
        raise psycopg.Rollback


def test_rows_that_a_foreign_key_takes_along_count_at_the_child(fresh_shop: Shop) -> None:
    with fresh_shop.login("owner") as owner:
        owner.execute(
            "INSERT INTO shop_orderitem (tenant_id, order_id, product, quantity, price) SELECT 1, o.id, 'x', 1, 1 "
            "FROM (SELECT id FROM shop_order ORDER BY id LIMIT 6) o, generate_series(1, 101)"
        )
        owner.execute("ALTER TABLE shop_orderitem DROP CONSTRAINT shop_orderitem_order_tenant_fk")
        owner.execute(
            "ALTER TABLE shop_orderitem ADD FOREIGN KEY (tenant_id, order_id) "
            "REFERENCES shop_order (tenant_id, id) ON DELETE CASCADE"
        )
    with pytest.raises(
        psycopg.errors.InsufficientPrivilege, match=r"custody: \d+ rows of public\.shop_orderitem at once"
    ):
        _attempt(
            fresh_shop, "etl", "DELETE FROM shop_order WHERE id IN (SELECT id FROM shop_order ORDER BY id LIMIT 6)"
        )


def test_adding_rows_is_not_limited(shop: Shop) -> None:
    with shop.transaction("app") as connection:
        added = connection.execute(
            "INSERT INTO shop_customer (tenant_id, name, email, phone, plan, credit_limit, preferences, labels, notes) "
            "SELECT 1, 'x', g || '@test.example', '', 'free', 0, '{}', '{}', '' FROM generate_series(1, 1000) g"
        ).rowcount
        assert added == 1000
        raise psycopg.Rollback


def test_a_refused_statement_leaves_no_history_and_no_count(shop: Shop) -> None:
    with shop.login("owner") as owner:
        counts = "SELECT (SELECT count(*) FROM audit_event), (SELECT count(*) FROM custody.write_bucket)"
        before: Any = owner.execute(counts).fetchone()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _attempt(shop, "app", BY_UPDATE["all"])
        assert owner.execute(counts).fetchone() == before
