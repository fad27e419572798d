"""Demo data: deterministic, whole, readable by Django, harmless when it is called again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command

from foundation.actor import Actor
from foundation.context import acting
from shop.demo.scales import SCALES, TENANTS
from shop.models import BehaviourLog, Customer, Order, OrderItem, UserTag
from tests.databases import RealDatabase, database_of_its_own, default_database
from tests.personas import customer
from tests.servers import Servers, manage

MODELS = (Customer, Order, OrderItem, UserTag, BehaviourLog)
OWNER = {"CUSTODY_DB_LOGIN": "owner"}
FIRST = Actor.service("reader", tenant_id=1)


@pytest.fixture(scope="module")
def shop(servers: Servers, django_db_blocker: Any) -> Iterator[RealDatabase]:
    """One database with the small scale, for tests that only read."""
    with database_of_its_own(servers, "demo") as database:
        manage(database.env | OWNER, "demo", "--scale", "small")
        with django_db_blocker.unblock(), default_database(database.name):
            yield database


def _checksum(owner: psycopg.Connection) -> list[Any]:
    owner.execute("SET custody.all_tenants = 'on'")
    return [
        owner.execute(
            f"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY id)) FROM {model._meta.db_table} t"
        ).fetchone()
        for model in MODELS
    ]


def test_the_first_tenant_has_enough_to_delete(shop: RealDatabase) -> None:
    with acting(FIRST):
        assert Order.objects.count() == SCALES["small"].first.orders >= 6_000
        old = Order.objects.filter(state="cancelled", placed_at__lt=datetime(2024, 1, 1, tzinfo=UTC))
        assert old.count() == 5_000
        assert old.count() + OrderItem.objects.filter(order__in=old).count() <= 10_000


def test_every_tenant_has_rows_of_its_own(shop: RealDatabase) -> None:
    for number, _, _ in TENANTS:
        with acting(Actor.service("reader", tenant_id=number)):
            assert all(model.objects.exists() for model in MODELS)
            assert set(Customer.objects.values_list("tenant_id", flat=True)) == {number}


def test_django_reads_every_row_and_every_version(shop: RealDatabase) -> None:
    with acting(FIRST):
        for model in MODELS:
            assert len(list(model.objects_and_deleted.all())) <= len(list(model.history.all()))


def test_limits_of_each_type_are_there(shop: RealDatabase) -> None:
    with acting(FIRST):
        scores = [score for score in Customer.objects.values_list("score", flat=True) if score is not None]
        assert any(math.isnan(score) for score in scores)
        assert {math.inf, -math.inf, 5e-324, 1.7976931348623157e308} <= set(scores)
        assert any(math.copysign(1, score) < 0 for score in scores if score == 0)
        limits = set(Customer.objects.values_list("credit_limit", flat=True))
        assert {None, Decimal("99999999999999999999.9999999999"), Decimal("0.0000000001")} <= limits
        births = set(Customer.objects.values_list("born_on", flat=True))
        assert {None, date.min, date.max, date(1969, 12, 31)} <= births
        assert Order.objects.filter(placed_at__year=1969).exists()
        assert max(len(notes) for notes in Customer.objects.values_list("notes", flat=True)) > 40_000
        names = "".join(Customer.objects.values_list("name", flat=True))
        assert all(
            word in names
            for word in ("Chloé", "王", "Юрий", "משה", "さくら", "김", "Νίκος", "สม", "<Ltd>", "Zoe\u0308")
        )


def test_every_row_has_its_first_version(shop: RealDatabase) -> None:
    with shop.owner() as owner:
        owner.execute("SET custody.all_tenants = 'on'")
        for model in MODELS:
            table, history = model._meta.db_table, model.history.model._meta.db_table
            row = owner.execute(
                f"SELECT count(*) FROM {table} t WHERE NOT EXISTS "
                f"(SELECT FROM {history} h WHERE h.id = t.id AND h.history_type = '+')"
            ).fetchone()
            assert row == (0,)


def test_some_rows_have_been_edited_since(shop: RealDatabase) -> None:
    with acting(FIRST):
        edited = Order.history.filter(history_type="~").first()
        assert edited.history_change_reason == "Carrier confirmed the parcels"
        assert edited.prev_record.state == "paid"


def test_a_second_call_adds_nothing(shop: RealDatabase) -> None:
    with shop.owner() as owner:
        before = _checksum(owner)
        assert "nothing added" in manage(shop.env | OWNER, "demo", "--if-empty")
        assert ": 0 rows" in manage(shop.env | OWNER, "demo")
        assert _checksum(owner) == before


def test_the_same_rows_everywhere(shop: RealDatabase, real_db: Any) -> None:
    manage(real_db.env | OWNER, "demo", "--scale", "small")
    with shop.owner() as one, real_db.owner() as other:
        assert _checksum(one) == _checksum(other)


def test_new_rows_get_ids_of_their_own(real_db: Any) -> None:
    manage(real_db.env | OWNER, "demo", "--scale", "small")
    with acting(FIRST):
        assert customer().pk > 100_000_000


def test_rows_of_somebody_else_are_left_alone(real_db: Any) -> None:
    with acting(FIRST):
        customer()
    with pytest.raises(RuntimeError, match="no demo data"):
        manage(real_db.env | OWNER, "demo")


@pytest.mark.django_db
def test_the_application_s_login_cannot_load() -> None:
    with pytest.raises(CommandError, match="owner"):
        call_command("demo", stdout=StringIO())
