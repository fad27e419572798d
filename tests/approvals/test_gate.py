"""The gate: thresholds per table and environment, one transaction for freeze and ticket, no way around."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from approvals import gate, tickets
from approvals.errors import NotAPerson
from approvals.models import Ticket
from audit.models import Event
from changes.models import Change, FrozenRow
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order, UserTag
from tests.journey import REASON, ask, keys_of
from tests.personas import customer, log, order, order_with_items, orders, tags

ORDER, TAG, CUSTOMER, LOG = "shop.order", "shop.usertag", "shop.customer", "shop.behaviourlog"


@pytest.mark.django_db
class TestRequirement:
    """The shipped rules over (entity, rows): orders above 10, logs above 10,000, the others above 500."""

    @pytest.mark.parametrize(
        ("parts", "approvals"),
        [
            ([], 0),
            ([(ORDER, 10)], 0),
            ([(ORDER, 11)], 1),
            ([(ORDER, 10), (TAG, 500)], 0),
            ([(ORDER, 1), (TAG, 501)], 1),
            ([(TAG, 10_000)], 1),
            ([(TAG, 10_001)], 2),
            ([(TAG, 5_001), (LOG, 5_000)], 2),
            ([(LOG, 9_999), (TAG, 2)], 0),
            ([(CUSTOMER, 83), (TAG, 442)], 1),
            ([(CUSTOMER, 250), (TAG, 250)], 0),
            ([(ORDER, 10), (CUSTOMER, 250), (TAG, 251)], 1),
        ],
    )
    def test_one_other_person_above_a_threshold_two_above_ten_thousand(
        self, at_work: Actor, parts: Any, approvals: int
    ) -> None:
        assert gate.foreseen("delete", parts).approvals == approvals

    def test_the_tables_over_their_threshold_are_named(self, at_work: Actor) -> None:
        assert gate.foreseen("delete", [(ORDER, 11), (TAG, 1)]).over == ((ORDER, 11, 10),)
        assert gate.foreseen("delete", [(ORDER, 1), (CUSTOMER, 300), (TAG, 300)]).over == (
            (CUSTOMER, 300, 500),
            (TAG, 300, 500),
        )


@pytest.mark.django_db
class TestThresholds:
    def test_at_the_threshold_it_runs_and_above_it_waits(self, at_work: Actor) -> None:
        at, above = ask(at_work, "shop.order", keys_of(orders(10))), ask(at_work, "shop.order", keys_of(orders(11)))
        assert (at.change.state, at.ticket) == (State.RUNNING, None)
        assert above.change.state == State.WAITING
        assert above.ticket is not None
        assert above.ticket.rule["over"] == [["shop.order", 11, 10]]

    def test_rows_that_go_along_count_against_their_own_threshold(self, at_work: Actor, environment: Any) -> None:
        environment("production")
        made = order_with_items(0)
        from shop.models import OrderItem

        OrderItem.objects.bulk_create(OrderItem(order=made, product="p", price=1) for _ in range(101))
        outcome = ask(at_work, "shop.order", keys_of([made]))
        assert outcome.ticket is not None
        assert outcome.ticket.rule["over"] == [["shop.orderitem", 101, 100]]

    @pytest.mark.parametrize(("name", "waits"), [("production", True), ("staging", False), ("demo", False)])
    def test_the_environment_sets_the_default(self, at_work: Actor, environment: Any, name: str, waits: bool) -> None:
        environment(name)
        assert (gate.needed(ask_only(at_work, tags(101))).approvals > 0) is waits

    def test_logs_have_a_threshold_of_their_own(self, at_work: Actor) -> None:
        from shop.models import BehaviourLog

        first = log()
        BehaviourLog.objects.bulk_create(
            BehaviourLog(happened_at=first.happened_at, action="bulk") for _ in range(1_000)
        )
        outcome = ask(at_work, "shop.behaviourlog", {"where": [{"field": "action", "value": "bulk"}]})
        assert outcome.ticket is None

    def test_above_ten_thousand_rows_two_persons_are_asked(self, at_work: Actor) -> None:
        outcome = ask(at_work, "shop.usertag", keys_of(tags(10_001)))
        assert outcome.ticket is not None
        assert outcome.ticket.required == 2


def ask_only(actor: Actor, rows: Any) -> Change:
    from changes import submission

    return submission.submit(actor, entity=UserTag, operation="delete", selection=keys_of(rows), reason=REASON)


class TestOneTransaction:
    def test_a_crash_between_freeze_and_ticket_leaves_nothing(
        self, real_db: Any, operator: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def crash(*_: Any, **__: Any) -> None:
            raise SystemExit("power cut")

        with acting(operator):
            made = orders(12)
            events = Event.objects.count()
            monkeypatch.setattr(tickets, "open_ticket", crash)
            with pytest.raises(SystemExit):
                gate.request(operator, entity="shop.order", operation="delete", selection=keys_of(made), reason=REASON)
            left = (Change.objects.count(), FrozenRow.objects.count(), Ticket.objects.count(), Event.objects.count())
            assert left == (0, 0, 0, events)

    def test_a_crash_between_clearing_and_starting_leaves_nothing(
        self, real_db: Any, operator: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from changes import lanes

        def crash(*_: Any) -> None:
            raise SystemExit("power cut")

        with acting(operator):
            made = orders(2)
            monkeypatch.setattr(lanes, "open_lanes", crash)
            with pytest.raises(SystemExit):
                gate.request(operator, entity="shop.order", operation="delete", selection=keys_of(made), reason=REASON)
            assert (Change.objects.count(), Order.objects.count()) == (0, 2)


@pytest.mark.django_db
class TestTicket:
    def test_it_shows_title_fingerprint_and_who_asked(self, at_work: Actor) -> None:
        outcome = ask(at_work, "shop.order", keys_of(orders(12)), title="Old orders")
        ticket = outcome.ticket
        assert ticket is not None
        assert (ticket.title, ticket.digest, ticket.requester_person_id) == (
            "Old orders",
            outcome.change.digest,
            at_work.person_id,
        )
        assert str(ticket) == f"T-{ticket.pk}"

    def test_a_machine_cannot_ask_for_what_people_must_agree_to(self, at_work: Actor) -> None:
        robot = Actor(kind="service", name="robot", tenant_id=1, roles=frozenset({"operator"}))
        with pytest.raises(NotAPerson):
            ask(robot, "shop.order", keys_of(orders(12)))

    def test_the_way_is_in_the_record(self, at_work: Actor) -> None:
        change = ask(at_work, "shop.order", keys_of(orders(12))).change
        acts = list(Event.objects.filter(change_id=change.pk).order_by("id").values_list("action", flat=True))
        assert acts == ["change.frozen", "ticket.opened"]

    def test_a_double_click_is_one_ticket(self, at_work: Actor) -> None:
        key, rows = uuid.uuid4(), keys_of(orders(12))
        asked = [ask(at_work, "shop.order", rows, request_key=key) for _ in range(2)]
        assert len({o.ticket.pk for o in asked if o.ticket}) == 1

    def test_a_row_of_another_tenant_cannot_be_slipped_in(self, at_work: Actor, outsider: Actor) -> None:
        with acting(outsider):
            theirs = order(customer())
        outcome = ask(at_work, "shop.order", keys_of([order(), theirs]))
        assert outcome.change.rows_total == 1


@pytest.mark.django_db
def test_tables_under_the_same_threshold_count_together_for_the_gate_and_for_the_database(at_work: Actor) -> None:
    buyer = customer()
    tags(500, customer=buyer)
    outcome = ask(at_work, "shop.customer", keys_of([buyer]))
    assert outcome.ticket is not None
    assert [part[:2] for part in outcome.ticket.rule["over"]] == [["shop.customer", 1], ["shop.usertag", 500]]
    with pytest.raises(DatabaseError, match="has not been approved by enough others"), transaction.atomic():
        Change.objects.filter(pk=outcome.change.pk).update(state="cleared")
