"""The context reaches PostgreSQL once per transaction, and never outlives it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from psycopg.pq import TransactionStatus

from access.models import Tenant
from foundation.actor import Actor
from foundation.context import acting, inside
from foundation.postgres.transactions import consistent, durable
from shop.models import Customer
from tests.personas import customer

FIRST = Actor.service("first", tenant_id=1)
SECOND = Actor.service("second", tenant_id=2)


def _one(statement: str, *values: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()[0]


def _told() -> dict[str, Any]:
    text = _one("SELECT current_setting('custody.context', true)")
    return json.loads(text) if text else {}


def _tenant() -> str:
    return _one("SELECT current_setting('custody.tenant', true)") or ""


@pytest.mark.django_db
def test_the_database_hears_who_acts() -> None:
    with acting(FIRST, reason="look"):
        assert _told() == {"name": "first", "tenant": 1, "channel": "shell", "reason": "look"}
        assert _tenant() == "1"


@pytest.mark.django_db
def test_the_context_is_sent_once_and_not_with_each_statement() -> None:
    with acting(FIRST):
        _tenant()
        _one("SELECT set_config('custody.tenant', '77', true)")
        assert _tenant() == "77"


@pytest.mark.django_db
def test_a_new_context_is_sent_in_the_same_transaction() -> None:
    with acting(FIRST):
        assert _tenant() == "1"
        with acting(SECOND):
            assert _tenant() == "2"
        assert _tenant() == "1"
        with inside(change_id=5):
            assert _told()["change"] == 5
        assert "change" not in _told()


@pytest.mark.django_db
def test_after_the_block_nobody_acts() -> None:
    with acting(FIRST):
        assert _tenant() == "1"
    assert (_tenant(), _told()) == ("", {})


@pytest.mark.django_db
def test_a_savepoint_that_is_rolled_back_does_not_lose_the_context() -> None:
    with acting(FIRST):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            assert _tenant() == "1"
            _ = 1 / 0
        assert _tenant() == "1"


@pytest.mark.django_db
def test_a_context_of_an_inner_savepoint_does_not_come_back_after_its_rollback() -> None:
    with acting(FIRST):
        assert _tenant() == "1"
        with pytest.raises(ZeroDivisionError), transaction.atomic(), acting(SECOND):
            assert _tenant() == "2"
            _ = 1 / 0
        assert _tenant() == "1"


@pytest.mark.django_db
def test_a_statement_that_fails_in_an_inner_context_is_taken_back_with_its_savepoint() -> None:
    """In a failed transaction the rollback to the savepoint comes before any context is sent."""
    with acting(FIRST):
        assert _tenant() == "1"
        with pytest.raises(DatabaseError), transaction.atomic(), inside(change_id=5), connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
        assert _tenant() == "1"
        assert "change" not in _told()


@pytest.mark.django_db
def test_without_a_tenant_there_are_no_rows() -> None:
    with acting(FIRST):
        customer()
        assert Customer.objects.count() == 1
    assert Customer.objects.count() == 0
    with acting(Actor.service("nobody's")):
        assert Customer.objects.count() == 0
    with acting(SECOND):
        assert Customer.objects.count() == 0


def test_in_autocommit_each_statement_has_its_context(real_db: Any) -> None:
    with acting(FIRST):
        made = customer()
        assert Customer.objects.get().pk == made.pk
        assert _tenant() == "1"
    assert (_tenant(), _told()) == ("", {})
    assert Customer.objects.count() == 0


def test_in_autocommit_rows_can_be_read_in_pieces(real_db: Any) -> None:
    with acting(FIRST):
        for _ in range(5):
            customer()
        assert len(list(Customer.objects.iterator(chunk_size=2))) == 5


def test_the_next_transaction_of_a_connection_starts_empty(real_db: Any) -> None:
    with acting(FIRST), transaction.atomic():
        customer()
        assert _tenant() == "1"
    with transaction.atomic():
        assert _tenant() == ""
        assert Customer.objects.count() == 0


def test_a_rolled_back_transaction_leaves_no_context(real_db: Any) -> None:
    with pytest.raises(ZeroDivisionError), acting(FIRST), transaction.atomic():
        assert _tenant() == "1"
        _ = 1 / 0
    assert _tenant() == ""
    with acting(FIRST), transaction.atomic():
        assert _tenant() == "1"


def test_a_new_connection_hears_the_context_again(real_db: Any) -> None:
    with acting(FIRST):
        customer()
        connection.close()
        assert Customer.objects.count() == 1


def test_a_pooled_server_connection_shows_the_next_client_nothing(real_db: Any) -> None:
    """What a transaction pooler does: the same server session, another client's transaction."""
    with acting(FIRST), transaction.atomic():
        customer()
    raw = connection.connection
    assert raw.execute("SELECT count(*) FROM shop_customer").fetchone() == (0,)


def test_statements_in_autocommit_are_committed(real_db: Any) -> None:
    with acting(FIRST):
        customer()
    with real_db.app() as other:
        other.execute("SELECT set_config('custody.tenant', '1', false)")
        assert other.execute("SELECT count(*) FROM shop_customer").fetchone() == (1,)


def test_a_consistent_block_sees_one_state(real_db: Any) -> None:
    Tenant.objects.create(name="One", slug="one")
    with consistent() as repeatable:
        assert repeatable
        assert Tenant.objects.count() == 1
        with real_db.app() as other:
            other.execute("INSERT INTO access_tenant (name, slug) VALUES ('Two', 'two')")
        assert Tenant.objects.count() == 1
    assert Tenant.objects.count() == 2


def test_a_connection_that_is_gone_is_djangos_error_for_a_consistent_block_too(real_db: Any) -> None:
    pid = _one("SELECT pg_backend_pid()")
    with real_db.admin() as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    connection.close_at = None
    connection.health_check_done = True
    with pytest.raises(DatabaseError), consistent():
        pass
    connection.close()


@pytest.mark.django_db
def test_a_consistent_block_inside_a_transaction_says_that_it_is_not() -> None:
    with consistent() as repeatable:
        assert not repeatable


def test_a_consistent_block_carries_the_context(real_db: Any) -> None:
    with acting(FIRST), consistent():
        assert _tenant() == "1"


def test_a_durable_block_waits_for_the_disk(real_db: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    with acting(FIRST), durable():
        assert _one("SHOW synchronous_commit") == "on"
        assert _tenant() == "1"
    assert _one("SHOW synchronous_commit") == "off"


class TestOneMessage:
    """BEGIN, the context and the first statement travel together, and nobody can tell from the outside."""

    @pytest.fixture
    def sent(self, real_db: Any) -> Iterator[list[str]]:
        """What the server was sent, as its own log of statements would show: one entry per message."""
        texts: list[str] = []

        def listen(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
            texts.append(sql)
            return execute(sql, params, many, context)

        connection.ensure_connection()
        connection.execute_wrappers.append(listen)
        yield texts
        connection.execute_wrappers.remove(listen)

    def test_the_first_statement_carries_begin_and_context(self, sent: list[str]) -> None:
        with acting(FIRST), transaction.atomic():
            assert _tenant() == "1"
            assert _one("SELECT 7") == 7
        assert [text.startswith("BEGIN; SELECT set_config('custody.context'") for text in sent] == [True, False]

    def test_every_statement_of_the_transaction_commits_or_goes_together(self, real_db: Any) -> None:
        with pytest.raises(ZeroDivisionError), acting(FIRST), transaction.atomic():
            customer()
            customer()
            _ = 1 / 0
        with acting(FIRST), transaction.atomic():
            assert Customer.objects.count() == 0
            customer()
        with acting(FIRST):
            assert Customer.objects.count() == 1

    @pytest.mark.parametrize("statement", ["SELEC 1", "SELECT 1/0", "SELECT * FROM nowhere"])
    def test_a_first_statement_that_fails_leaves_a_usable_connection(self, real_db: Any, statement: str) -> None:
        with acting(FIRST):
            with pytest.raises(DatabaseError), transaction.atomic():
                _one(statement)
            assert connection.connection.info.transaction_status == TransactionStatus.IDLE
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                customer()
                _ = 1 / 0
            assert Customer.objects.count() == 0

    def test_after_a_first_statement_with_a_wrong_word_nothing_slips_out_of_the_transaction(self, real_db: Any) -> None:
        with pytest.raises(ZeroDivisionError), acting(FIRST), transaction.atomic():
            with pytest.raises(DatabaseError):
                _one("SELEC 1")
            connection.connection.execute("CREATE TEMPORARY TABLE past_the_wrapper ()")
            _ = 1 / 0
        assert _one("SELECT to_regclass('past_the_wrapper')") is None

    def test_values_with_percent_signs_and_quotes_arrive_as_they_are(self, real_db: Any) -> None:
        nasty = "100 % \\ %s '; DROP TABLE shop_customer; --"
        with acting(FIRST, reason=nasty), transaction.atomic():
            assert _one("SELECT %s::text", nasty) == nasty
            assert _told()["reason"] == nasty
        with acting(FIRST, reason=nasty), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('custody.context')::jsonb->>'reason', '%'")
            assert cursor.fetchone() == (nasty, "%")

    def test_rows_description_and_count_are_the_statements_own(self, real_db: Any) -> None:
        with acting(FIRST), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT n AS answer FROM generate_series(1, 3) n")
            assert ([column.name for column in cursor.description], cursor.rowcount) == (["answer"], 3)
            assert cursor.fetchall() == [(1,), (2,), (3,)]
        with acting(FIRST):
            customer()
            with transaction.atomic():
                assert Customer.objects.update(name="x") == 1

    def test_many_values_and_read_in_pieces_as_the_first_statement(self, real_db: Any) -> None:
        with acting(FIRST):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.executemany("SELECT set_config('custody.test', %s, true)", [["a"], ["b"]])
                assert _tenant() == "1"
            for _ in range(5):
                customer()
            with transaction.atomic():
                assert len(list(Customer.objects.iterator(chunk_size=2))) == 5
            with transaction.atomic():
                assert Customer.objects.count() == 5
                assert len(list(Customer.objects.iterator(chunk_size=2))) == 5

    def test_without_atomic_a_transaction_of_ones_own_begins_anew_after_each_commit(self, real_db: Any) -> None:
        with acting(FIRST):
            transaction.set_autocommit(False)
            try:
                customer()
                transaction.commit()
                customer()
                transaction.rollback()
                assert Customer.objects.count() == 1
                transaction.rollback()
            finally:
                transaction.set_autocommit(True)
