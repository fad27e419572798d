"""The context reaches PostgreSQL once per transaction, and never outlives it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection, transaction

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
