"""The baseline is exact, wherever it is interrupted and whatever is written first."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection

from audit.adoption import baseline, verification
from tests.audit.adoption.conftest import Adoption


@pytest.fixture
def store(adoption: Adoption) -> Iterator[Adoption]:
    """Schema store with triggers and no baseline; the tests write it in this process, as the owner."""
    adoption.load("store")
    adoption.manage("adopt", "--schema", "store", "--app", "store")
    adoption.manage("migrate", "store")
    address = psycopg.conninfo.conninfo_to_dict(adoption.database.env["DATABASE_OWNER_URL"])
    values = connection.settings_dict
    before = {key: values[key] for key in ("USER", "PASSWORD")}
    with adoption.installed("store"):
        connection.close()
        values |= {"USER": address["user"], "PASSWORD": address["password"]}
        try:
            yield adoption
        finally:
            connection.close()
            values |= before


def faults(app: str = "store") -> dict[str, int]:
    return {f"{f.table}: {f.what}": f.count for f in verification.verify(connection, app) if f.count}


def test_a_run_that_was_cut_short_goes_on_where_it_stopped(store: Adoption) -> None:
    cut = list(itertools.islice(baseline.write(connection, "store", batch_rows=1_000), 4))
    assert not cut[-1].done
    assert faults() != {}
    with store.owner() as owner:
        assert owner.execute(
            "SELECT table_name, baseline_rows FROM custody.adopted_table WHERE baseline_rows > 0 ORDER BY 1"
        ).fetchall() == [("customer", 500), ("line", 2_000)]

    rest = [progress for progress in baseline.write(connection, "store", batch_rows=5_000) if progress.done]

    assert [(p.table, p.rows) for p in rest] == [("store.customer", 0), ("store.line", 6_000), ("store.sale", 4_000)]
    assert faults() == {}
    assert [p.rows for p in baseline.write(connection, "store")] == [0, 0, 0]


def test_what_is_written_before_the_baseline_keeps_its_old_value(store: Adoption) -> None:
    with store.owner() as owner:
        owner.execute("UPDATE store.customer SET name = 'Changed' WHERE id = 7")
        owner.execute("DELETE FROM store.line WHERE sale_id = 9")
        owner.execute("UPDATE store.customer SET id = 9000 WHERE id = 11 AND false")
        owner.execute("INSERT INTO store.customer VALUES (8000, 'Fresh')")
        owner.execute("DELETE FROM store.sale WHERE id = 4000")
        owner.execute("TRUNCATE store.line")
    list(baseline.write(connection, "store"))
    assert faults() == {}
    with store.owner() as owner:
        versions = owner.execute(
            "SELECT history_type, name, history_change_reason FROM custody.store_h_customer WHERE id IN (7, 8000) "
            "ORDER BY history_id"
        ).fetchall()
        assert versions == [("+", "Customer 7", "baseline"), ("~", "Changed", None), ("+", "Fresh", None)]
        lines = owner.execute(
            "SELECT history_type, count(*) FROM custody.store_h_line GROUP BY 1 ORDER BY 1"
        ).fetchall()
        assert lines == [("+", 8_000), ("-", 8_000)]


def test_a_repeatable_read_writer_meets_a_baseline_it_cannot_see(store: Adoption) -> None:
    with store.owner() as owner:
        owner.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with owner.transaction():
            owner.execute("SELECT count(*) FROM store.customer")
            list(baseline.write(connection, "store", batch_rows=100_000))
            # The lean functions are in place now; put the careful ones back, as a slow baseline would have them.
            careful(store)
            owner.execute("UPDATE store.customer SET visits = 5 WHERE id IN (3, 4)")
        assert owner.execute("SELECT count(*) FROM custody.capture_failure").fetchone() == (0,)
    assert faults() == {}


def careful(store: Adoption) -> None:
    from audit.adoption.capture import function_v2

    with connection.cursor() as cursor:
        for table in baseline.governed_tables(connection, "store"):
            cursor.execute(function_v2(table, "update", baseline=True))


def test_a_baseline_row_is_visible_in_every_snapshot(store: Adoption) -> None:
    with store.owner() as owner:
        (snapshot,) = owner.execute("SELECT pg_current_snapshot()::text").fetchone() or ("",)
        list(baseline.write(connection, "store"))
        seen = owner.execute(
            "SELECT count(*) FROM custody.store_h_sale WHERE pg_visible_in_snapshot(xid, %s::pg_snapshot)", [snapshot]
        ).fetchone()
    assert seen == (4_000,)


def test_two_baselines_at_once_do_not_mix(store: Adoption) -> None:
    with store.owner() as owner, owner.transaction():
        owner.execute("SELECT 1 FROM custody.adopted_table WHERE table_name = 'customer' FOR NO KEY UPDATE")
        with pytest.raises(baseline.BaselineRunning):
            list(baseline.write(connection, "store"))


def test_a_new_partition_is_covered_by_the_next_run(adoption: Adoption) -> None:
    adoption.load("odd")
    adoption.adopt("odd", "--tables", "reading")
    with adoption.owner() as owner:
        owner.execute(
            "CREATE TABLE odd.reading_2025 PARTITION OF odd.reading FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')"
        )
        owner.execute("INSERT INTO odd.reading_2025 VALUES (1, '2025-05-05', 1)")
    warned = adoption.manage("check", "--database", "default", check=False)
    assert "odd.reading_2025" in warned.stderr

    assert "agree" in adoption.manage("baseline", "odd", "--verify").stdout

    assert "odd." not in adoption.manage("check", "--database", "default", check=False).stderr
    with adoption.owner() as owner:
        owner.execute("UPDATE odd.reading_2025 SET value = 2")
        kinds = owner.execute(
            "SELECT history_type FROM custody.odd_h_reading WHERE taken = '2025-05-05' ORDER BY history_id"
        ).fetchall()
    assert kinds == [("+",), ("~",)]
