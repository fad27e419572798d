"""`--hide rls`: the old program sees live rows only; Custody sees all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.audit.adoption.conftest import Adoption


@pytest.fixture
def program(adoption: Adoption) -> Iterator[psycopg.Connection[Any]]:
    """A login of the old program on the adopted store, customer 3 archived."""
    adoption.load("store")
    adoption.adopt("store", "--tables", "customer", "--hide", "rls")
    with adoption.owner() as owner:
        owner.execute("UPDATE store.customer SET is_deleted = true, deleted_at = now() WHERE id = 3")
    with adoption.database.admin() as admin:
        admin.execute("CREATE ROLE store_program")
        admin.execute("GRANT USAGE ON SCHEMA store TO store_program")
        admin.execute("GRANT ALL ON store.customer TO store_program")
        admin.execute("SET SESSION AUTHORIZATION store_program")
        try:
            yield admin
        finally:
            admin.execute("RESET SESSION AUTHORIZATION")
            admin.execute("DROP OWNED BY store_program")
            admin.execute("DROP ROLE store_program")


def test_deleted_rows_are_out_of_reach(program: psycopg.Connection[Any]) -> None:
    assert program.execute("SELECT count(*) FROM store.customer").fetchone() == (499,)
    assert program.execute("UPDATE store.customer SET visits = 1").rowcount == 499
    assert program.execute("DELETE FROM store.customer WHERE id = 3").rowcount == 0
    with pytest.raises(psycopg.errors.UniqueViolation):
        program.execute("INSERT INTO store.customer VALUES (3, 'Taken')")
    program.execute("INSERT INTO store.customer VALUES (900, 'Fresh')")


def test_custody_sees_all_rows(program: psycopg.Connection[Any], adoption: Adoption) -> None:
    with adoption.database.app() as app:
        assert app.execute("SELECT count(*) FROM store.customer").fetchone() == (500,)
        assert app.execute("UPDATE store.customer SET is_deleted = false WHERE id = 3").rowcount == 1
    assert "agree" in adoption.manage("baseline", "store", "--verify").stdout


def test_policies_of_the_schemas_own_are_not_mixed(adoption: Adoption) -> None:
    adoption.load("store")
    with adoption.owner() as owner:
        owner.execute("ALTER TABLE store.customer ENABLE ROW LEVEL SECURITY")
    said = adoption.manage(
        "adopt", "--schema", "store", "--app", "store", "--apply", "--tables", "customer", "--hide", "rls", check=False
    )
    assert said.returncode == 1
    assert "row level security of its own" in said.stderr
