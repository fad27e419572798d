"""What is told stands in the transaction of what happened; those are told who can do something about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError

from approvals import decisions, starting, tickets
from approvals.errors import BackToVoting
from approvals.models import Ticket
from approvals.notices import reminding
from approvals.notices.kinds import Kind
from approvals.notices.models import Delivery, Message, Notice
from approvals.notices.telling import tell
from changes import execution, finishing, moving
from changes.states import Held, State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.journey import agree, ask, keys_of, start, work
from tests.personas import orders, tags


@pytest.fixture
def ticket(operator: Actor, approver: Actor, second_approver: Actor) -> Ticket:
    with acting(operator):
        made = ask(operator, "shop.order", keys_of(orders(12)), title="Old  orders\nof May").ticket
        assert made is not None
        assert made.change.title
    return made


def told(kind: str) -> set[int]:
    """Persons with a notice of this kind."""
    with acting(Actor.service("looker", tenant_id=1)):
        return set(Notice.objects.filter(message__kind=kind).values_list("person_id", flat=True))


def message(kind: str) -> Message:
    with acting(Actor.service("looker", tenant_id=1)):
        return Message.objects.get(kind=kind)


class TestTickets:
    def test_a_ticket_that_waits_is_told_to_those_who_can_decide(
        self, ticket: Ticket, approver: Actor, second_approver: Actor
    ) -> None:
        assert told("ticket_pending") == {approver.person_id, second_approver.person_id}
        said = message("ticket_pending")
        assert (said.ticket_id, said.change_id, said.entity) == (ticket.pk, ticket.change_id, "shop.order")
        assert (said.title, said.facts) == ("Old orders of May", {"operation": "delete", "rows": 12})

    def test_an_approver_is_not_told_of_an_own_request(self, persona: Callable[..., Actor], approver: Actor) -> None:
        both = persona("operator", "approver", name="Both Hats")
        with acting(both):
            ask(both, "shop.order", keys_of(orders(12)))
        assert told("ticket_pending") == {approver.person_id}

    def test_who_has_left_and_who_is_elsewhere_is_told_nothing(
        self, operator: Actor, approver: Actor, persona: Callable[..., Actor]
    ) -> None:
        persona("approver", name="Gone Away", is_active=False)
        persona("approver", name="Other House", tenant=2)
        with acting(operator):
            ask(operator, "shop.order", keys_of(orders(12)))
        assert told("ticket_pending") == {approver.person_id}

    def test_an_approval_is_told_to_who_asked(self, ticket: Ticket, operator: Actor, approver: Actor) -> None:
        agree(ticket, approver)
        assert told("ticket_approved") == {operator.person_id}
        assert told("ticket_voted") == set()
        assert message("ticket_approved").by_person_id == approver.person_id

    def test_one_of_two_is_told_as_such(self, operator: Actor, approver: Actor, second_approver: Actor) -> None:
        with acting(operator):
            two = ask(operator, "shop.usertag", keys_of(tags(10_001))).ticket
        agree(two, approver)
        assert told("ticket_voted") == {operator.person_id}
        facts = message("ticket_voted").facts
        assert (facts["have"], facts["need"]) == (1, 2)
        agree(two, second_approver)
        assert told("ticket_approved") == {operator.person_id}

    def test_a_rejection_is_told_without_its_reason(self, ticket: Ticket, operator: Actor, approver: Actor) -> None:
        with acting(approver):
            decisions.vote(ticket.pk, actor=approver, decision="reject", digest=ticket.digest, reason="CANARY")
        assert told("ticket_rejected") == {operator.person_id}
        assert "CANARY" not in repr(vars(message("ticket_rejected")))

    def test_a_withdrawal_is_told_to_those_who_had_voted(
        self, operator: Actor, approver: Actor, second_approver: Actor
    ) -> None:
        with acting(operator):
            two = ask(operator, "shop.usertag", keys_of(tags(10_001))).ticket
        assert two is not None
        agree(two, approver)
        with acting(operator):
            tickets.withdraw(two.pk, actor=operator)
        assert told("ticket_withdrawn") == {approver.person_id}

    def test_a_new_round_is_told_to_all_who_decide_and_to_who_asked(
        self, real_db: Any, operator: Actor, approver: Actor, second_approver: Actor
    ) -> None:
        with acting(operator):
            rows = orders(12)
        outcome = ask(operator, "shop.order", keys_of(rows))
        agree(outcome.ticket, approver)
        with acting(operator):
            for row in rows[:11]:
                Order.objects.filter(pk=row.pk).update(note="looked at")
            with pytest.raises(BackToVoting):
                starting.start(outcome.change.pk, actor=operator)
        assert told("ticket_reopened") == {operator.person_id, approver.person_id, second_approver.person_id}
        assert message("ticket_reopened").facts["round"] == 2

    def test_an_expired_ticket_is_told_to_who_asked(self, ticket: Ticket, operator: Actor) -> None:
        move_expiry(ticket, "-1 second")
        assert tickets.expire_due() == 1
        assert told("ticket_expired") == {operator.person_id}


class TestExpiringSoon:
    def test_it_is_told_once_per_round_to_those_who_have_not_voted(
        self, operator: Actor, approver: Actor, second_approver: Actor
    ) -> None:
        with acting(operator):
            two = ask(operator, "shop.usertag", keys_of(tags(10_001))).ticket
        assert two is not None
        agree(two, approver)
        assert reminding.remind_due() == 0
        move_expiry(two, "23 hours")
        assert [reminding.remind_due() for _ in range(3)] == [1, 0, 0]
        assert told("ticket_expiring") == {second_approver.person_id}

    def test_a_decided_one_is_not_told(self, ticket: Ticket, approver: Actor) -> None:
        agree(ticket, approver)
        move_expiry(ticket, "1 hour")
        assert reminding.remind_due() == 0


class TestRuns:
    def test_the_end_of_a_run_people_agreed_to(self, ticket: Ticket, operator: Actor, approver: Actor) -> None:
        agree(ticket, approver)
        start(ticket.change, operator)
        work(ticket.change)
        assert told("run_done") == {operator.person_id}
        said = message("run_done")
        assert (said.facts["applied"], said.facts["skipped"], said.ticket_id) == (12, 0, ticket.pk)

    def test_a_small_change_that_just_ends_is_not_told(self, operator: Actor) -> None:
        with acting(operator):
            work(ask(operator, "shop.order", keys_of(orders(2))).change)
            orders(1)[0].delete()
        with acting(operator):
            assert Order.deleted.count() == 3
            assert not Message.objects.exists()

    def test_a_failed_one_is_told_whoever_agreed(self, operator: Actor) -> None:
        with acting(operator):
            change = ask(operator, "shop.order", keys_of(orders(2))).change
            finishing.fail(change, "CANARY in an error of the database")
        assert told("run_failed") == {operator.person_id}
        assert "CANARY" not in repr(vars(message("run_failed")))

    def test_stopping_is_told_when_it_has_stopped(self, ticket: Ticket, operator: Actor, approver: Actor) -> None:
        agree(ticket, approver)
        start(ticket.change, operator)
        with acting(operator):
            execution.cancel(ticket.change_id, actor=operator)
        assert told("run_stopped") == set()
        work(ticket.change)
        assert told("run_stopped") == {operator.person_id}

    @pytest.mark.parametrize(("why", "heard"), [(Held.SCHEMA, True), (Held.CANARY, True), (Held.WINDOW, False)])
    def test_only_what_waits_for_a_person_is_told(self, operator: Actor, why: Held, heard: bool) -> None:
        with acting(operator):
            change = ask(operator, "shop.order", keys_of(orders(2))).change
            assert change.state == State.RUNNING
            assert moving.hold(change, why, entity="CANARY")
        assert told("run_waiting") == ({operator.person_id} if heard else set())
        if heard:
            assert message("run_waiting").facts["why"] == str(why.value)


class TestTheOutbox:
    def test_what_is_rolled_back_was_never_told(self, ticket: Ticket, operator: Actor) -> None:
        with acting(operator):
            before = Message.objects.count()
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                tell(Kind.REMINDER, ticket=ticket, persons=[operator.person_id])
                raise ZeroDivisionError
            assert Message.objects.count() == before

    def test_outside_of_a_transaction_nothing_can_be_told(self, real_db: Any) -> None:
        with acting(Actor.service("x", tenant_id=1)), pytest.raises(TransactionManagementError):
            tell(Kind.REMINDER, persons=[1])

    @pytest.mark.parametrize(
        "facts", [{"name": "Ann"}, {"rows": "12"}, {"why": "Ann Bell"}, {"why": "x" * 41}, {"have": True}]
    )
    def test_a_message_carries_numbers_and_codes_only(self, ticket: Ticket, facts: dict[str, Any]) -> None:
        with acting(Actor.service("x", tenant_id=1)), pytest.raises(TypeError):
            tell(Kind.REMINDER, ticket=ticket, facts=facts)

    def test_kinds_without_a_ticket_are_told_too(self, operator: Actor) -> None:
        with acting(operator), transaction.atomic():
            tell(Kind.RULE_CHANGED, persons=[operator.person_id], facts={"rule": 7})
        assert told("rule_changed") == {operator.person_id}

    def test_another_tenant_sees_nothing_of_it(self, ticket: Ticket, webhook: Any, outsider: Actor) -> None:
        with acting(outsider):
            assert (Message.objects.count(), Notice.objects.count(), Delivery.objects.count()) == (0, 0, 0)

    @pytest.mark.parametrize("table", ["approvals_message", "approvals_notice", "approvals_delivery"])
    def test_a_row_of_another_tenant_cannot_be_pointed_at(self, ticket: Ticket, outsider: Actor, table: str) -> None:
        from django.db import IntegrityError

        columns = {
            "approvals_message": ("kind, ticket_id, entity, title, facts", f"'test', {ticket.pk}, '', '', '{{}}'"),
            "approvals_notice": ("message_id, person_id", f"{message('ticket_pending').pk}, 1"),
            "approvals_delivery": (
                "message_id, person_id, uuid, channel, state, attempts, error",
                f"{message('ticket_pending').pk}, 1, gen_random_uuid(), 'email', 'waiting', 0, ''",
            ),
        }[table]
        with acting(outsider), pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {table} (tenant_id, {columns[0]}) VALUES (2, {columns[1]})")
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def move_expiry(ticket: Ticket, length: str) -> None:
    """The application may change it; the guard only keeps decided tickets as they are."""
    with acting(Actor.service("clock", tenant_id=1)), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE approvals_ticket SET expires_at = now() + %s::interval WHERE id = %s", [length, ticket.pk]
        )
