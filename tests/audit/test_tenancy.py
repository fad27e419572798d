"""Tenants are apart in every key, foreign key, unique constraint and policy; the catalog proves it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import ProgrammingError

from audit import registry
from audit.errors import NoTenant
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Customer, Order
from tests.personas import customer, order

TENANT_TABLES = """
    SELECT c.oid, c.oid::regclass::text AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced,
           (SELECT attnum FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id') AS tenant
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND n.nspname = 'public'
       AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.attnum > 0)
"""
# Links a login to its tenant, written by administrators before there is a tenant to act for.
ACCESS = ("access_",)


def _all(statement: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


@pytest.mark.django_db
def test_row_security_is_forced_on_every_table_with_a_tenant() -> None:
    names = {name for name, forced in _all(f"SELECT name, forced FROM ({TENANT_TABLES}) t") if not forced}
    assert {name for name in names if not name.startswith(ACCESS)} == set()


@pytest.mark.django_db
def test_every_key_of_tenant_data_starts_with_the_tenant() -> None:
    wrong = _all(
        f"SELECT t.name, i.indexrelid::regclass::text FROM ({TENANT_TABLES}) t JOIN pg_index i ON i.indrelid = t.oid "
        "JOIN pg_policy p ON p.polrelid = t.oid AND p.polname = 'custody_tenant' "
        "WHERE i.indisunique AND i.indkey[0] <> t.tenant"
    )
    assert wrong == []
    governed = {model._meta.db_table for model in registry.entities() if model.governance.tenant}
    assert governed <= {name for name, _ in _all(f"SELECT name, forced FROM ({TENANT_TABLES}) t")}


@pytest.mark.django_db
def test_every_foreign_key_between_tenant_tables_starts_with_the_tenant() -> None:
    wrong = _all(
        f"WITH t AS ({TENANT_TABLES}) SELECT f.conname FROM pg_constraint f JOIN t a ON a.oid = f.conrelid "
        "JOIN t b ON b.oid = f.confrelid WHERE f.contype = 'f' "
        "AND NOT EXISTS (SELECT FROM generate_subscripts(f.conkey, 1) k "
        "WHERE f.conkey[k] = a.tenant AND f.confkey[k] = b.tenant)"
    )
    assert wrong == []


@pytest.mark.django_db
def test_every_foreign_key_of_the_models_is_in_the_database() -> None:
    keys = {
        name for (name,) in _all("SELECT conname FROM pg_constraint WHERE contype = 'f' AND conname LIKE '%_tenant_fk'")
    }
    assert keys >= {
        "shop_customer_referred_by_tenant_fk",
        "shop_order_customer_tenant_fk",
        "shop_orderitem_order_tenant_fk",
        "shop_usertag_customer_tenant_fk",
        "shop_behaviourlog_customer_tenant_fk",
    }


@pytest.mark.django_db
class TestRows:
    def test_a_row_cannot_point_into_another_tenant(self, operator: Actor, outsider: Actor) -> None:
        with acting(outsider):
            theirs = customer()
        with (
            acting(operator),
            pytest.raises(IntegrityError, match="shop_order_customer_tenant_fk"),
            transaction.atomic(),
        ):
            order(theirs)

    def test_a_row_cannot_be_written_for_another_tenant(self, operator: Actor) -> None:
        with acting(operator), pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            customer(tenant_id=2)

    def test_a_row_cannot_be_moved_to_another_tenant(self, operator: Actor) -> None:
        with acting(operator):
            made = customer()
            with pytest.raises((ProgrammingError, IntegrityError)), transaction.atomic():
                Customer.objects.filter(pk=made.pk).update(tenant_id=2)

    def test_a_row_without_a_tenant_is_refused_with_the_way_to_give_one(self) -> None:
        with pytest.raises(NoTenant, match="acting"):
            customer()

    def test_the_same_value_may_exist_in_two_tenants(self, operator: Actor, outsider: Actor) -> None:
        with acting(operator):
            customer(email="same@test.example")
        with acting(outsider):
            customer(email="same@test.example")

    def test_another_tenant_s_row_cannot_be_changed_by_its_id(self, operator: Actor, outsider: Actor) -> None:
        with acting(outsider):
            theirs = order()
        with acting(operator):
            assert Order.objects.filter(pk=theirs.pk).update(note="mine") == 0
            with pytest.raises(Order.DoesNotExist):
                Order.objects_and_deleted.get(pk=theirs.pk)

    @pytest.mark.parametrize("change", ["id = id + 1000000", "tenant_id = 2", "id = id + 1000000, tenant_id = 2"])
    def test_a_key_never_changes(self, operator: Actor, change: str) -> None:
        with acting(operator):
            made = customer()
            with (
                pytest.raises((IntegrityError, ProgrammingError)) as refused,
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute(f"UPDATE shop_customer SET {change} WHERE id = %s", [made.pk])
            assert "key of a row of shop_customer never changes" in str(refused.value) or "row-level" in str(
                refused.value
            )

    def test_a_key_may_be_written_unchanged(self, operator: Actor) -> None:
        with acting(operator):
            made = customer()
            assert Customer.objects.filter(pk=made.pk).update(id=made.pk, tenant_id=1) == 1


def test_the_owner_cannot_change_a_key_either(real_db: Any, operator: Actor) -> None:
    with acting(operator):
        made = customer()
    with real_db.owner() as owner:
        owner.execute("SET custody.all_tenants = 'on'")
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            owner.execute("UPDATE shop_customer SET tenant_id = 2 WHERE id = %s", [made.pk])


def test_the_owner_too_sees_nothing_without_saying_so(real_db: Any, operator: Actor) -> None:
    with acting(operator):
        customer()
    with real_db.owner() as owner:
        assert owner.execute("SELECT count(*) FROM shop_customer").fetchone() == (0,)
        owner.execute("SET custody.all_tenants = 'on'")
        assert owner.execute("SELECT count(*) FROM shop_customer").fetchone() == (1,)
