"""Every write is recorded, whatever it came from: one history row per row, one event per statement."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction
from psycopg import errors

from audit.models import Event
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Customer, Order, UserTag
from tests.personas import customer, order, orders, tag, tags

SOMEBODY = Actor.service("somebody", tenant_id=1)


def _events(**of: Any) -> list[tuple[str, str, int]]:
    rows = Event.objects.filter(**of).order_by("id").values_list("operation", "entity", "affected_rows")
    return list(rows)


def _types(record: Any) -> list[str]:
    return list(record.history.order_by("history_id").values_list("history_type", flat=True))


@pytest.fixture
def somebody(db: None) -> Any:
    with acting(SOMEBODY, reason="test"):
        yield


@pytest.mark.usefixtures("somebody")
class TestByDjango:
    def test_save_and_save_again(self) -> None:
        made = customer(name="Before")
        made.name = "After"
        made.save()
        assert _types(made) == ["+", "~"]
        assert list(made.history.order_by("history_id").values_list("name", flat=True)) == ["Before", "After"]
        assert _events() == [("+", "shop.customer", 1), ("~", "shop.customer", 1)]

    def test_bulk_create_is_one_event(self) -> None:
        buyer = customer()
        made = orders(5, customer=buyer)
        assert _events(entity="shop.order") == [("+", "shop.order", 5)]
        assert all(_types(one) == ["+"] for one in made)

    def test_bulk_create_with_conflicts_counts_both_kinds(self) -> None:
        old = tag()
        changed = UserTag(id=old.id, customer=old.customer, tag="new word")
        fresh = UserTag(customer=old.customer, tag="fresh")
        fresh.id = UserTag.objects.order_by("-id").first().id + 10
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO shop_usertag (tenant_id, id, customer_id, tag, weight, source) "
                "VALUES (1, %s, %s, %s, 1, ''), (1, %s, %s, %s, 1, '') "
                "ON CONFLICT (tenant_id, id) DO UPDATE SET tag = excluded.tag",
                [old.id, old.customer_id, changed.tag, fresh.id, old.customer_id, fresh.tag],
            )
        assert sorted(_events(entity="shop.usertag")[1:]) == [("+", "shop.usertag", 1), ("~", "shop.usertag", 1)]
        assert _types(old) == ["+", "~"]

    def test_update_of_a_queryset(self) -> None:
        made = orders(3)
        Order.objects.filter(pk__in=[one.pk for one in made]).update(note="checked")
        assert _events(entity="shop.order") == [("+", "shop.order", 3), ("~", "shop.order", 3)]
        assert made[0].history.latest().note == "checked"

    def test_bulk_update(self) -> None:
        made = orders(3)
        for one in made:
            one.note = f"n{one.pk}"
        Order.objects.bulk_update(made, ["note"])
        assert [one.history.latest().note for one in made] == [f"n{one.pk}" for one in made]

    def test_a_write_that_touches_nothing_leaves_nothing(self) -> None:
        Order.objects.filter(pk=-1).update(note="x")
        assert _events() == []

    def test_a_savepoint_that_is_rolled_back_leaves_nothing(self) -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            customer()
            _ = 1 / 0
        assert _events() == []
        assert Customer.history.count() == 0


@pytest.mark.usefixtures("somebody")
class TestBySql:
    def _run(self, statement: str, *values: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)

    def test_on_conflict_do_nothing_leaves_nothing(self) -> None:
        old = tag()
        self._run(
            "INSERT INTO shop_usertag (tenant_id, id, customer_id, tag, weight, source) VALUES (1, %s, %s, 'x', 1, '') "
            "ON CONFLICT DO NOTHING",
            old.id,
            old.customer_id,
        )
        assert _types(old) == ["+"]

    def test_merge_is_recorded_per_kind(self) -> None:
        old = tag()
        self._run(
            "MERGE INTO shop_usertag t USING (VALUES (%s::bigint, 'merged'), (%s, 'added')) v(id, tag) "
            "ON t.id = v.id WHEN MATCHED THEN UPDATE SET tag = v.tag "
            "WHEN NOT MATCHED THEN INSERT (tenant_id, id, customer_id, tag, weight, source) "
            "VALUES (1, v.id, %s, v.tag, 1, '')",
            old.id,
            old.id + 1000,
            old.customer_id,
        )
        assert sorted(_events(entity="shop.usertag")[1:]) == [("+", "shop.usertag", 1), ("~", "shop.usertag", 1)]
        assert old.history.latest().tag == "merged"

    def test_two_writes_of_one_statement_are_one_event(self) -> None:
        first, second = tags(2)
        self._run(
            "WITH a AS (UPDATE shop_usertag SET tag = 'a' WHERE id = %s RETURNING id) "
            "UPDATE shop_usertag SET tag = 'b' WHERE id = %s",
            first.id,
            second.id,
        )
        assert _events(entity="shop.usertag")[1:] == [("~", "shop.usertag", 2)]
        assert (first.history.latest().tag, second.history.latest().tag) == ("a", "b")

    def test_a_cursor_loop_is_recorded_row_by_row(self) -> None:
        made = tags(2)
        self._run(
            "DO $$ DECLARE c CURSOR FOR SELECT * FROM shop_usertag FOR UPDATE; r record; BEGIN "
            "FOR r IN c LOOP UPDATE shop_usertag SET source = 'loop' WHERE CURRENT OF c; END LOOP; END $$"
        )
        assert [_types(one) for one in made] == [["+", "~"], ["+", "~"]]

    def test_values_arrive_unharmed(self) -> None:
        made = customer(
            name="Zoë 王 \U0001f468‍\U0001f469‍\U0001f467 'q' \"d\" \\ %s",
            credit_limit="99999999999999999999.9999999999",
            score=float("-inf"),
            preferences={"名": [1, None, {"a": 1e-7}]},
            labels=["a,b", 'q"', "", "NULL"],
            born_on="0001-01-01",
            notes="x" * 200_000,
        )
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT (SELECT to_jsonb(c) FROM shop_customer c WHERE id = %s) "
                "<@ (SELECT to_jsonb(h) FROM shop_historicalcustomer h WHERE id = %s)",
                [made.pk, made.pk],
            )
            assert cursor.fetchone() == (True,)


class TestByTheOwner:
    """Only the owner may remove rows at all; it is recorded all the same."""

    @pytest.fixture
    def filled(self, real_db: Any) -> list[Any]:
        with acting(SOMEBODY):
            return tags(3)

    def _history(self, real_db: Any) -> list[tuple[str, str]]:
        with acting(SOMEBODY):
            return list(UserTag.history.order_by("history_id").values_list("history_type", "tag"))

    @pytest.mark.usefixtures("filled")
    def test_delete(self, real_db: Any) -> None:
        with real_db.owner() as owner:
            owner.execute("SET custody.all_tenants = 'on'")
            owner.execute("DELETE FROM shop_usertag WHERE tag = 'tag 1'")
        assert self._history(real_db)[-1] == ("-", "tag 1")
        with acting(SOMEBODY):
            event = Event.objects.latest("id")
            assert (event.operation, event.affected_rows, event.tenant_id) == ("-", 1, 1)
            assert event.before_state["tag"] == "tag 1"

    @pytest.mark.usefixtures("filled")
    @pytest.mark.parametrize("preparation", ["SELECT 1", "SET custody.all_tenants = 'on'"])
    def test_truncate_records_each_row_first(self, real_db: Any, preparation: str) -> None:
        with real_db.owner() as owner:
            owner.execute(preparation)
            owner.execute("TRUNCATE shop_usertag")
        assert self._history(real_db)[3:] == [("-", "tag 0"), ("-", "tag 1"), ("-", "tag 2")]
        with acting(SOMEBODY):
            assert _events(operation="-") == [("-", "shop.usertag", 3)]

    @pytest.mark.usefixtures("filled")
    def test_truncate_of_several_tables_records_all(self, real_db: Any) -> None:
        with real_db.owner() as owner:
            owner.execute("TRUNCATE shop_customer, shop_order, shop_orderitem, shop_usertag, shop_behaviourlog")
        with acting(SOMEBODY):
            assert sorted(_events(operation="-")) == [("-", "shop.customer", 1), ("-", "shop.usertag", 3)]

    def test_a_cascade_of_the_database_is_recorded(self, real_db: Any) -> None:
        with acting(SOMEBODY):
            parent = order()
            customer_id = parent.customer_id
        with real_db.owner() as owner:
            owner.execute("ALTER TABLE shop_order DROP CONSTRAINT shop_order_customer_tenant_fk")
            owner.execute(
                "ALTER TABLE shop_order ADD FOREIGN KEY (tenant_id, customer_id) "
                "REFERENCES shop_customer (tenant_id, id) ON DELETE CASCADE"
            )
            owner.execute("SET custody.all_tenants = 'on'")
            owner.execute("DELETE FROM shop_customer WHERE id = %s", [customer_id])
        with acting(SOMEBODY):
            assert Order.history.latest().history_type == "-"
            assert sorted(_events(operation="-")) == [("-", "shop.customer", 1), ("-", "shop.order", 1)]

    def test_copy_is_refused_to_the_application_and_recorded_of_a_superuser(
        self, real_db: Any, filled: list[Any]
    ) -> None:
        statement = "COPY shop_usertag (tenant_id, customer_id, tag, weight, source) FROM STDIN"
        with real_db.app() as app, pytest.raises(errors.FeatureNotSupported), app.cursor().copy(statement):
            pass
        with real_db.admin() as admin, admin.cursor().copy(statement) as copy:
            copy.write_row((1, filled[0].customer_id, "copied 1", 1.0, ""))
            copy.write_row((1, filled[0].customer_id, "copied 2", 1.0, ""))
        assert self._history(real_db)[3:] == [("+", "copied 1"), ("+", "copied 2")]

    def test_replica_mode_of_a_superuser_does_not_switch_capture_off(self, real_db: Any, filled: list[Any]) -> None:
        with real_db.admin() as admin:
            admin.execute("SET session_replication_role = replica")
            admin.execute("UPDATE shop_usertag SET tag = 'quietly' WHERE id = %s", [filled[0].pk])
        assert self._history(real_db)[-1] == ("~", "quietly")
