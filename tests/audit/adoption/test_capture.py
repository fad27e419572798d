"""Whatever another program does to an adopted table is in the history, and never hindered by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.audit.adoption.conftest import Adoption

History = Callable[..., list[tuple[Any, ...]]]
Sql = psycopg.Connection[Any]


def test_insert_update_delete(old_program: Sql, history: History) -> None:
    old_program.execute(
        "INSERT INTO city (id, country, region_number, name) VALUES (100, 'de', 1, 'New'), (101, 'de', 1, 'Old')"
    )
    old_program.execute("UPDATE city SET name = name || '!' WHERE id >= 100")
    old_program.execute("DELETE FROM city WHERE id = 101")
    assert history("city", "id, name") == [
        ("+", 100, "New"),
        ("+", 101, "Old"),
        ("~", 100, "New!"),
        ("~", 101, "Old!"),
        ("-", 101, "Old!"),
    ]


def test_on_conflict_records_inserts_and_updates(old_program: Sql, history: History) -> None:
    old_program.execute(
        "INSERT INTO city (id, country, region_number, name) VALUES (1, 'de', 1, 'Again'), (200, 'de', 1, 'First') "
        "ON CONFLICT (id) DO UPDATE SET name = excluded.name"
    )
    assert sorted(history("city", "id, name")) == [("+", 200, "First"), ("~", 1, "Again")]


def test_merge_records_each_action(old_program: Sql, history: History) -> None:
    old_program.execute(
        "MERGE INTO parts p USING (VALUES (1), (9)) AS v (id) ON p.id = v.id "
        "WHEN MATCHED THEN UPDATE SET retention_policy = 'merged' WHEN NOT MATCHED THEN INSERT (id) VALUES (v.id)"
    )
    assert sorted(history("parts", "id")) == [("+", 9), ("~", 1)]


def test_copy_is_recorded(old_program: Sql, history: History) -> None:
    with old_program.cursor().copy("COPY parts (id) FROM STDIN") as copy:
        copy.write("70\n71\n")
    assert history("parts", "id") == [("+", 70), ("+", 71)]


def test_truncate_records_every_row(old_program: Sql, history: History) -> None:
    old_program.execute("TRUNCATE profile")
    assert [kind for kind, *_ in history("profile", "person_id")] == ["-"] * 10


def test_truncate_of_a_partitioned_table_counts_each_row_once(old_program: Sql, history: History) -> None:
    old_program.execute("TRUNCATE reading")
    assert len(history("reading")) == 250


def test_a_cascade_of_the_database_is_recorded(old_program: Sql, history: History) -> None:
    old_program.execute("DELETE FROM city WHERE id = 5")
    assert history("link", "person_id, city_id") == [("-", 5, 5)]


def test_a_moved_key_ends_one_history_and_begins_another(old_program: Sql, history: History) -> None:
    old_program.execute("""UPDATE "order" SET "select" = "select" + 100 * ("select" / 3), "from" = 'all'""")
    assert sorted(history("order", '"select", "from"')) == [
        ("+", 103, "all"),
        ("-", 3, "here"),
        ("~", 1, "all"),
        ("~", 2, "all"),
    ]


@pytest.mark.parametrize("target", ["reading", "reading_2024", "reading_2024_low"])
def test_a_partition_is_recorded_whichever_way_it_is_written(old_program: Sql, history: History, target: str) -> None:
    old_program.execute(f"INSERT INTO {target} (sensor, taken, value) VALUES (1, '2024-12-30', 1.5)")
    old_program.execute(f"UPDATE {target} SET value = 2 WHERE taken = '2024-12-30'")
    assert history("reading", "sensor, value") == [("+", 1, 1.5), ("~", 1, 2)]


def test_a_replica_session_does_not_slip_through(odd: Adoption) -> None:
    with odd.database.admin() as admin:
        admin.autocommit = False
        admin.execute("SET LOCAL session_replication_role = replica")
        admin.execute("UPDATE odd.parts SET retention_policy = 'x' WHERE id = 1")
        found = admin.execute("SELECT count(*) FROM custody.odd_h_parts WHERE retention_policy = 'x'").fetchone()
        admin.rollback()
    assert found == (1,)


def test_one_event_tells_of_each_statement(old_program: Sql) -> None:
    old_program.execute("UPDATE city SET name = name || '?' WHERE id < 4")
    event = old_program.execute(
        "SELECT target_table, entity, operation, affected_rows, channel FROM public.audit_event ORDER BY id DESC LIMIT 1"
    ).fetchone()
    assert event == ("odd.city", "odd.city", "~", 3, "sql")
    old_program.execute("UPDATE city SET name = 'One' WHERE id = 1")
    before = old_program.execute("SELECT before_state FROM public.audit_event ORDER BY id DESC LIMIT 1").fetchone()
    assert before == ({"name": "City 1?"},)


def test_columns_with_the_names_of_history_are_kept_apart(old_program: Sql, history: History) -> None:
    old_program.execute("""UPDATE "Mixed Case-Table" SET event_id = 77, xid = 'theirs' WHERE "Id" = 1""")
    assert history("Mixed Case-Table", "row_event_id, row_xid") == [("~", 77, "theirs")]


def test_wider_columns_and_missing_values_do_not_break_a_write(old_program: Sql, history: History) -> None:
    old_program.execute("ALTER TABLE city ALTER name DROP NOT NULL, ALTER region_number TYPE bigint")
    old_program.execute("ALTER TABLE person ALTER code TYPE varchar(500), ALTER mood DROP NOT NULL")
    old_program.execute("UPDATE city SET name = NULL WHERE id = 1")
    old_program.execute("UPDATE person SET code = repeat('x', 400), mood = NULL WHERE id = 1")
    assert history("city", "name") == [("~", None)]
    assert history("person", "length(code)") == [("~", 400)]


def test_a_dropped_column_lets_the_write_pass_and_raises_an_alarm(old_program: Sql, history: History) -> None:
    old_program.execute("ALTER TABLE link DROP COLUMN since")
    old_program.execute("UPDATE link SET retention_policy = 'y' WHERE person_id = 1")
    changed = old_program.execute("SELECT retention_policy FROM link WHERE person_id = 1").fetchone()
    assert changed == ("y",)
    assert history("link") == []
    alarm = old_program.execute("SELECT table_name, operation FROM custody.capture_failure").fetchall()
    assert alarm == [("odd.link", "update")]


def test_the_old_programs_login_has_no_limit_and_sees_no_history(odd: Adoption) -> None:
    with odd.database.admin() as admin:
        admin.execute("CREATE ROLE odd_program LOGIN PASSWORD 'p'")
        admin.execute("GRANT USAGE ON SCHEMA odd TO odd_program")
        admin.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON odd.parts TO odd_program")
        try:
            admin.autocommit = False
            admin.execute("SET SESSION AUTHORIZATION odd_program")
            admin.execute("SET custody.context = 'garbage that must not stop the capture'")
            admin.execute("INSERT INTO odd.parts SELECT generate_series(1000, 2999)")
            admin.execute("DELETE FROM odd.parts WHERE id >= 1000")
            admin.execute("SAVEPOINT before_reading")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                admin.execute("SELECT * FROM custody.odd_h_parts")
            admin.execute("ROLLBACK TO before_reading")
            admin.execute("RESET SESSION AUTHORIZATION")
            found = admin.execute("SELECT count(*) FROM custody.odd_h_parts WHERE id >= 1000").fetchone()
            admin.rollback()
        finally:
            admin.autocommit = True
            admin.execute("DROP OWNED BY odd_program")
            admin.execute("DROP ROLE odd_program")
    assert found == (4000,)


def test_the_application_may_not_remove_rows(odd: Adoption) -> None:
    with odd.database.app() as connection:
        for statement in ("DELETE FROM odd.city", "TRUNCATE odd.city", "UPDATE custody.odd_h_city SET name = ''"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_the_application_meets_the_row_limit(odd: Adoption) -> None:
    with odd.owner() as owner:
        owner.execute("INSERT INTO odd.parts SELECT generate_series(3000, 3600)")
        try:
            with odd.database.app() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("UPDATE odd.parts SET is_deleted = true WHERE id >= 3000")
        finally:
            owner.execute("DELETE FROM odd.parts WHERE id >= 3000")


class TestGuard:
    """The application's login is weighed on adopted tables too; a partition sums with its table.

    It holds no rights on partitions; here it is given some, since a grant by mistake must not open the limit.
    """

    @pytest.fixture
    def app(self, odd: Adoption) -> Iterator[Any]:
        """The application, under a small limit for the readings, everything taken back at the end."""
        limits = "UPDATE public.audit_governedtable SET row_limit = {} WHERE table_name = 'odd.reading'"
        leaves = "odd.reading_2023, odd.reading_2024, odd.reading_2024_low"
        with odd.owner() as owner:
            owner.execute(limits.format(10))
            owner.execute(f"GRANT SELECT, UPDATE ON {leaves} TO custody_app")
            try:
                with odd.database.app() as connection, connection.transaction(force_rollback=True):
                    yield connection
            finally:
                owner.execute(limits.format(500))
                owner.execute(f"REVOKE ALL ON {leaves} FROM custody_app")

    def _update(self, app: Any, table: str, rows: int) -> int:
        chosen = f"(SELECT sensor, taken FROM {table} ORDER BY sensor, taken LIMIT {rows})"
        statement = f"UPDATE {table} SET retention_policy = 'x' WHERE (sensor, taken) IN {chosen}"
        return int(app.execute(statement).rowcount)

    @pytest.mark.parametrize("target", ["odd.reading", "odd.reading_2024", "odd.reading_2024_low", "odd.reading_2023"])
    def test_eleven_rows_are_refused_however_the_table_is_named(self, app: Any, target: str) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"11 rows of odd\.reading at once"):
            self._update(app, target, 11)

    def test_a_leaf_and_its_table_sum_up(self, app: Any) -> None:
        assert self._update(app, "odd.reading_2023", 6) == 6
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"12 rows of odd\.reading in one transaction"):
            self._update(app, "odd.reading", 6)

    def test_two_leaves_sum_up(self, app: Any) -> None:
        assert self._update(app, "odd.reading_2023", 6) == 6
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"12 rows of odd\.reading in one transaction"):
            self._update(app, "odd.reading_2024_low", 6)

    def test_a_loop_is_refused(self, app: Any) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"11 rows of odd\.reading in one transaction"):
            for _ in range(11):
                self._update(app, "odd.reading", 1)


def test_a_function_of_an_earlier_version_is_named_and_renewed(odd: Adoption) -> None:
    with odd.owner() as owner:
        owner.execute(
            "DO $$ BEGIN EXECUTE replace(pg_get_functiondef('custody.capture_odd_parts_update'::regproc), "
            "'BEGIN', 'BEGIN NULL;'); END $$"
        )
    assert "custody.E025" in odd.manage("check", "--database", "default", check=False).stderr
    odd.manage("baseline", "odd")
    assert "custody.E025" not in odd.manage("check", "--database", "default", check=False).stderr
