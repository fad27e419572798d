"""An event says who, what, when, why, from where, under which change; and only trusted logins may say it."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from audit.models import Event
from foundation.actor import Actor
from foundation.context import acting, inside
from shop.models import Customer, Order, UserTag
from tests.personas import customer, order, orders, tag

DECISION = uuid.uuid4()


@pytest.mark.django_db
def test_an_event_has_every_field(operator: Actor) -> None:
    with acting(
        operator,
        channel="api",
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        request_id="req-1",
        ip="2001:db8::7",
        change_id=42,
        action="correct",
        reason="typo “in” the name",
        decision_id=str(DECISION),
    ):
        made = customer(name="Before")
        Customer.objects.filter(pk=made.pk).update(name="After")
        event = Event.objects.latest("id")
    assert event.event_id.version == 4
    assert abs(event.occurred_at - timezone.now()) < timedelta(minutes=1)
    assert (event.target_table, event.entity) == ("public.shop_customer", "shop.customer")
    assert (event.operation, event.action, event.affected_rows) == ("~", "correct", 1)
    assert (event.operator_id, event.person_id, event.operator_name) == (
        operator.user_id,
        operator.person_id,
        operator.name,
    )
    assert (event.tenant_id, event.ip, event.channel) == (1, "2001:db8::7", "api")
    assert (event.trace_id, event.request_id) == ("4bf92f3577b34da6a3ce929d0e0e4736", "req-1")
    assert (event.change_id, event.decision_id, event.reason) == (42, DECISION, "typo “in” the name")
    assert (event.db_role, event.before_state) == ("custody_app", {"name": "Before"})
    assert event.xid > 0


@pytest.mark.django_db
def test_history_names_the_event_the_change_and_the_person(operator: Actor) -> None:
    with acting(operator, change_id=42, reason="because"):
        made = customer()
        row, event = made.history.get(), Event.objects.latest("id")
    assert (row.event_id, row.change_id, row.xid) == (event.id, 42, event.xid)
    assert (row.history_user_id, row.history_change_reason) == (operator.user_id, "because")
    assert row.history_date == event.occurred_at
    assert row.history_user.get_full_name() == operator.name


@pytest.mark.django_db
def test_the_state_before_holds_only_what_changed(operator: Actor) -> None:
    with acting(operator):
        made = order(note="old", total="1.00")
        Order.objects.filter(pk=made.pk).update(note="new", total="2.00")
        assert Event.objects.latest("id").before_state == {"note": "old", "total": 1.00}
        Order.objects.filter(pk=made.pk).update(note="new")
        assert Event.objects.latest("id").before_state in (None, {})


@pytest.mark.django_db
def test_of_many_rows_history_tells_the_state_before(operator: Actor) -> None:
    with acting(operator):
        made = orders(2, note="old")
        Order.objects.filter(customer=made[0].customer).update(note="new")
        assert Event.objects.latest("id").before_state is None
        assert made[1].history.latest().prev_record.note == "old"


@pytest.mark.django_db
def test_context_changes_within_a_transaction_are_told_apart(operator: Actor) -> None:
    with acting(operator, reason="first"):
        customer()
        with inside(reason="second", change_id=9):
            customer()
        customer()
        told = list(Event.objects.order_by("id").values_list("reason", "change_id"))
    assert told == [("first", None), ("second", 9), ("first", None)]


@pytest.mark.django_db
def test_plain_sql_without_a_context_is_recorded_under_its_login(operator: Actor) -> None:
    with acting(operator):
        made = tag()
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('custody.tenant', '1', true)")
        cursor.execute("UPDATE shop_usertag SET tag = 'by hand' WHERE id = %s", [made.pk])
        cursor.execute("SELECT operator_name, channel, db_role, tenant_id FROM audit_event ORDER BY id DESC LIMIT 1")
        assert cursor.fetchone() == ("custody_app", "sql", "custody_app", 1)


@pytest.mark.django_db
def test_an_act_that_is_no_statement_can_be_appended(operator: Actor) -> None:
    with acting(operator, reason="agreed"), connection.cursor() as cursor:
        cursor.execute("SELECT custody.append_event('vote', 'ticket', 'T-7', 0, '{\"decision\": \"approve\"}')")
        event = Event.objects.latest("id")
    assert (event.operation, event.action, event.entity, event.target_table) == ("*", "vote", "ticket", "T-7")
    assert (event.operator_id, event.reason, event.facts) == (operator.user_id, "agreed", {"decision": "approve"})


@pytest.mark.django_db
def test_another_tenant_sees_no_event_and_no_history(operator: Actor, outsider: Actor) -> None:
    with acting(operator):
        customer()
        assert (Event.objects.count(), Customer.history.count()) == (1, 1)
    with acting(outsider):
        assert (Event.objects.count(), Customer.history.count()) == (0, 0)
    assert (Event.objects.count(), Customer.history.count()) == (0, 0)


LIE = json.dumps({"user": 1, "name": "Somebody else", "tenant": 2, "reason": "a lie"})


def test_the_owner_s_word_on_the_tenant_is_not_taken(real_db: Any, operator: Actor) -> None:
    with acting(operator):
        made = tag()
    with real_db.owner() as owner:
        owner.execute(
            "SELECT set_config('custody.context', %s, false), set_config('custody.all_tenants', 'on', false)", [LIE]
        )
        owner.execute("UPDATE shop_usertag SET tag = 'x' WHERE id = %s", [made.pk])
    with acting(operator):
        event = Event.objects.latest("id")
        assert (event.tenant_id, event.db_role) == (1, "custody_owner")
        assert UserTag.history.latest().history_change_reason == "a lie"


def test_a_foreign_login_is_not_believed_at_all(real_db: Any, operator: Actor) -> None:
    with acting(operator):
        made = tag()
    role = f"foreign_{uuid.uuid4().hex[:8]}"
    with real_db.admin() as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x' BYPASSRLS")
        try:
            admin.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
            admin.execute(f"GRANT SELECT, UPDATE ON shop_usertag TO {role}")
            admin.execute(f"SET SESSION AUTHORIZATION {role}")
            admin.execute("SELECT set_config('custody.context', %s, false)", [LIE])
            admin.execute("UPDATE shop_usertag SET tag = 'x' WHERE id = %s", [made.pk])
        finally:
            admin.execute("RESET SESSION AUTHORIZATION")
            admin.execute(f"DROP OWNED BY {role}")
            admin.execute(f"DROP ROLE {role}")
    with acting(operator):
        event = Event.objects.latest("id")
        assert (event.operator_name, event.db_role, event.operator_id, event.reason) == (role, role, None, "")
        assert event.tenant_id == 1
        assert UserTag.history.latest().history_user_id is None
