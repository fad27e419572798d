"""Without a running change one statement touches at most the entity's threshold; the database refuses more."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from audit import registry
from audit.models import Event, GovernedTable
from foundation.actor import Actor
from foundation.context import acting
from shop.models import BehaviourLog, Customer, Order, UserTag
from tests.personas import customer, orders

ORDERS = 10


def test_thresholds_follow_the_declaration_and_the_environment(settings: Any) -> None:
    assert [registry.threshold(model) for model in (Order, BehaviourLog, UserTag)] == [10, 10_000, 500]
    settings.CUSTODY_ENV = "production"
    assert [registry.threshold(model) for model in (Order, BehaviourLog, Customer)] == [10, 10_000, 100]


@pytest.mark.django_db
def test_every_governed_table_has_its_limit_in_the_database() -> None:
    stored = {row.entity: row.row_limit for row in GovernedTable.objects.all()}
    assert stored == {model._meta.label_lower: registry.threshold(model) for model in registry.entities()}


@pytest.mark.django_db
class TestOrders:
    @pytest.fixture(autouse=True)
    def _acting(self, operator: Actor) -> Any:
        with acting(operator):
            orders(ORDERS + 1)
            yield

    def test_as_many_as_the_threshold_pass(self) -> None:
        first = Order.objects.order_by("pk").values("pk")[:ORDERS]
        assert Order.objects.filter(pk__in=first).update(note="x") == ORDERS

    def test_one_more_is_refused_and_says_how_to_ask(self) -> None:
        with pytest.raises(ProgrammingError, match=r"11 rows of public\.shop_order") as refused, transaction.atomic():
            Order.objects.update(note="x")
        assert refused.value.__cause__.sqlstate == "42501"
        assert "New change" in refused.value.__cause__.diag.message_hint
        assert not Order.objects.filter(note="x").exists()

    def test_the_refused_statement_leaves_no_history(self) -> None:
        before = Order.history.count(), Event.objects.count()
        with pytest.raises(ProgrammingError), transaction.atomic():
            Order.objects.update(note="x")
        assert (Order.history.count(), Event.objects.count()) == before

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE shop_order SET note = 'x'",
            "UPDATE shop_order o SET note = 'x' FROM shop_customer c WHERE c.id = o.customer_id",
            "UPDATE shop_order SET note = 'x' WHERE ctid = ANY (ARRAY(SELECT ctid FROM shop_order))",
            "MERGE INTO shop_order o USING shop_customer c ON c.id = o.customer_id WHEN MATCHED THEN UPDATE SET note = 'x'",
            "INSERT INTO shop_order (tenant_id, id, customer_id, number, placed_at, state, total, currency, note) "
            "SELECT tenant_id, id, customer_id, number, placed_at, state, total, currency, 'x' FROM shop_order "
            "ON CONFLICT (tenant_id, id) DO UPDATE SET note = 'x'",
            "WITH a AS (UPDATE shop_order SET note = 'x' WHERE id % 2 = 0 RETURNING 1) "
            "UPDATE shop_order SET note = 'x' WHERE id % 2 = 1",
            "SELECT set_config('custody.context', '{\"change\": 12345}', true); UPDATE shop_order SET note = 'x'",
            "SELECT set_config('custody.all_tenants', 'on', true); UPDATE shop_order SET note = 'x'",
        ],
    )
    def test_no_form_of_sql_gets_around_it(self, statement: str) -> None:
        with pytest.raises(ProgrammingError, match="refused"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)

    def test_adding_rows_is_not_limited(self) -> None:
        assert len(orders(ORDERS * 3)) == ORDERS * 3


def test_the_owner_repairs_without_a_limit_after_saying_why(real_db: Any, operator: Actor) -> None:
    with acting(operator):
        orders(ORDERS + 1, customer=customer())
    with real_db.owner() as owner:
        owner.execute("SET custody.all_tenants = 'on'; SET custody.mass_write = 'repair'")
        assert owner.execute("UPDATE shop_order SET note = 'x'").rowcount == ORDERS + 1
