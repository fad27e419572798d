"""A vote is one other person's, bound to the fingerprint that person saw; nothing else counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from access.errors import NotAllowed
from approvals import decisions, tickets
from approvals.errors import (
    AlreadyVoted,
    DigestMoved,
    NotAPerson,
    NotYours,
    RejectionNeedsReason,
    SelfApproval,
    TicketNotFound,
    TicketNotPending,
    UnknownDecision,
)
from approvals.models import Ticket, Vote
from audit.models import Event
from changes.models import Change
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.journey import ask, keys_of
from tests.personas import orders, prove, tags

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(operator: Actor) -> Ticket:
    with acting(operator):
        made = ask(operator, "shop.order", keys_of(orders(12))).ticket
    assert made is not None
    return made


def say(ticket: Ticket, actor: Actor, decision: str = "approve", **more: Any) -> Ticket:
    with acting(actor):
        return decisions.vote(ticket.pk, actor=actor, **{"decision": decision, "digest": ticket.digest} | more)


def state_of(ticket: Ticket) -> tuple[str, str]:
    with acting(Actor.service("looker", tenant_id=1)):
        fresh = Ticket.objects.select_related("change").get(pk=ticket.pk)
        return fresh.state, fresh.change.state


class TestApproving:
    def test_one_other_person_is_enough_and_nothing_starts(self, ticket: Ticket, approver: Actor) -> None:
        say(ticket, approver)
        assert state_of(ticket) == ("approved", "cleared")
        with acting(approver):
            assert Order.objects.count() == 12

    def test_where_two_are_needed_one_is_not_enough(
        self, operator: Actor, approver: Actor, second_approver: Actor
    ) -> None:
        with acting(operator):
            two = ask(operator, "shop.usertag", keys_of(tags(10_001))).ticket
        assert two is not None
        say(two, approver)
        assert state_of(two) == ("pending", "waiting")
        say(two, second_approver)
        assert state_of(two) == ("approved", "cleared")

    def test_the_votes_are_in_the_record_with_their_fingerprint(self, ticket: Ticket, approver: Actor) -> None:
        say(ticket, approver, reason="seen and agreed")
        with acting(approver):
            event = Event.objects.get(action="ticket.vote")
            assert event.operator_name == approver.name
            assert event.facts["digest"] == ticket.digest
            assert Vote.objects.get().reason == "seen and agreed"


class TestRefusals:
    def test_nobody_decides_on_an_own_request(
        self, ticket: Ticket, operator: Actor, persona: Callable[..., Actor]
    ) -> None:
        both = persona("operator", "approver", name="Both Roles", person=operator.person_id)
        for decision in ("approve", "reject"):
            with pytest.raises(SelfApproval):
                say(ticket, both, decision, reason="mine")
        assert state_of(ticket) == ("pending", "waiting")

    @pytest.mark.parametrize("role", ["operator", "auditor", "engineer", "administrator"])
    def test_who_is_no_approver_cannot(self, ticket: Ticket, request: Any, role: str) -> None:
        with pytest.raises(NotAllowed):
            say(ticket, request.getfixturevalue(role))

    def test_a_person_has_one_vote_whatever_the_account(
        self, operator: Actor, approver: Actor, persona: Callable[..., Actor]
    ) -> None:
        with acting(operator):
            two = ask(operator, "shop.usertag", keys_of(tags(10_001))).ticket
        assert two is not None
        say(two, approver)
        again = persona("approver", name="Amir Second", person=approver.person_id)
        for voter in (approver, again):
            with pytest.raises(AlreadyVoted):
                say(two, voter)
        assert state_of(two) == ("pending", "waiting")

    @pytest.mark.parametrize("digest", ["", "x", "0" * 64])
    def test_a_vote_for_something_else_does_not_count(self, ticket: Ticket, approver: Actor, digest: str) -> None:
        with pytest.raises(DigestMoved):
            say(ticket, approver, digest=digest)
        with acting(approver):
            assert not Vote.objects.exists()

    @pytest.mark.parametrize("decision", ["", "yes", "APPROVE", None])
    def test_a_decision_is_one_of_two(self, ticket: Ticket, approver: Actor, decision: Any) -> None:
        with pytest.raises(UnknownDecision):
            say(ticket, approver, decision)

    def test_a_rejection_says_why(self, ticket: Ticket, approver: Actor) -> None:
        with pytest.raises(RejectionNeedsReason):
            say(ticket, approver, "reject", reason=" ")

    def test_a_machine_cannot_vote(self, ticket: Ticket) -> None:
        robot = Actor(kind="service", name="robot", tenant_id=1, roles=frozenset({"approver"}))
        with pytest.raises(NotAPerson):
            say(ticket, robot)

    def test_tickets_of_other_tenants_are_not_there(self, ticket: Ticket, persona: Callable[..., Actor]) -> None:
        stranger = persona("approver", name="Stranger Danger", tenant=2)
        with pytest.raises(TicketNotFound):
            say(ticket, stranger)

    def test_what_is_decided_stays_decided(
        self, ticket: Ticket, approver: Actor, second_approver: Actor, operator: Actor
    ) -> None:
        say(ticket, approver, "reject", reason="not these")
        assert state_of(ticket) == ("rejected", "refused")
        for late in ("approve", "reject"):
            with pytest.raises(TicketNotPending, match="already rejected"):
                say(ticket, second_approver, late, reason="late")
        with acting(operator), pytest.raises(TicketNotPending):
            tickets.withdraw(ticket.pk, actor=operator)


class TestWithdrawing:
    def test_who_asked_may_take_it_back(self, ticket: Ticket, operator: Actor) -> None:
        with acting(operator):
            tickets.withdraw(ticket.pk, actor=operator, reason="wrong batch")
        assert state_of(ticket) == ("withdrawn", "refused")

    def test_nobody_else_may(self, ticket: Ticket, engineer: Actor) -> None:
        with acting(engineer), pytest.raises(NotYours):
            tickets.withdraw(ticket.pk, actor=engineer)

    def test_after_the_decision_it_is_too_late(self, ticket: Ticket, operator: Actor, approver: Actor) -> None:
        say(ticket, approver)
        with acting(operator), pytest.raises(TicketNotPending):
            tickets.withdraw(ticket.pk, actor=operator)


class TestExpiry:
    """By the database's clock alone."""

    def expire(self, ticket: Ticket, shift: str) -> None:
        with acting(Actor.service("clerk", tenant_id=1)), connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE approvals_ticket SET expires_at = clock_timestamp() + interval '{shift}' WHERE id = %s",
                [ticket.pk],
            )

    def test_a_vote_after_the_end_does_not_count_though_nobody_closed_the_ticket(
        self, ticket: Ticket, approver: Actor
    ) -> None:
        self.expire(ticket, "-1 microsecond")
        with pytest.raises(TicketNotPending, match="already expired"):
            say(ticket, approver)
        assert state_of(ticket) == ("pending", "waiting")

    def test_a_vote_before_the_end_counts(self, ticket: Ticket, approver: Actor) -> None:
        self.expire(ticket, "5 seconds")
        say(ticket, approver)
        assert state_of(ticket) == ("approved", "cleared")

    def test_the_clock_of_this_machine_does_not_matter(
        self, ticket: Ticket, approver: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from datetime import UTC, datetime

        monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(1999, 1, 1, tzinfo=UTC))
        self.expire(ticket, "-1 second")
        with pytest.raises(TicketNotPending):
            say(ticket, approver)

    def test_the_clerk_closes_what_is_due_and_nothing_else(self, ticket: Ticket, operator: Actor) -> None:
        with acting(operator):
            other = ask(operator, "shop.order", keys_of(orders(12))).ticket
        assert other is not None
        self.expire(ticket, "-1 second")
        assert tickets.expire_due() == 1
        assert (state_of(ticket), state_of(other)) == (("expired", "refused"), ("pending", "waiting"))
        assert tickets.expire_due() == 0

    def test_an_expired_request_cannot_be_taken_back(self, ticket: Ticket, operator: Actor) -> None:
        self.expire(ticket, "-1 second")
        with acting(operator), pytest.raises(TicketNotPending):
            tickets.withdraw(ticket.pk, actor=operator)


class TestTheDatabaseSaysItToo:
    """The application's own login, with SQL of its choice."""

    FORGED = (
        "INSERT INTO approvals_vote (tenant_id, ticket_id, requester_person_id, person_id, user_id, name, decision, "
        "digest, reason, proof_id) VALUES (1, {ticket}, {asked}, {person}, {user}, 'x', 'approve', '{digest}', '', {proof})"
    )

    def forged(self, ticket: Ticket, voter: Actor, **other: Any) -> str:
        """A vote with a good proof of its own, so that what is tested is the only thing wrong with it."""
        facts = {
            "ticket": ticket.pk,
            "asked": ticket.requester_person_id,
            "person": voter.person_id,
            "user": voter.user_id,
            "proof": prove(voter).pk,
            "digest": ticket.digest,
        }
        return self.FORGED.format(**facts | other)

    def run(self, statement: str, actor: Actor) -> None:
        with acting(actor), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)

    def test_an_own_vote_is_refused(self, ticket: Ticket, operator: Actor) -> None:
        own = ticket.requester_person_id
        with pytest.raises(DatabaseError, match="not_the_requester"):
            self.run(self.forged(ticket, operator, asked=own, person=own), operator)

    def test_an_own_vote_under_a_wrong_requester_is_refused(self, ticket: Ticket, operator: Actor) -> None:
        own = ticket.requester_person_id
        with pytest.raises(DatabaseError, match=r"approvals_vote_ticket_fk|may not decide"):
            self.run(self.forged(ticket, operator, asked=10**6, person=own), operator)
            with acting(operator), connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    @pytest.mark.parametrize("state", ["cleared", "running"])
    def test_a_change_without_votes_is_not_cleared(self, ticket: Ticket, operator: Actor, state: str) -> None:
        with pytest.raises(DatabaseError, match="custody:"):
            self.run(f"UPDATE changes_change SET state = '{state}' WHERE id = {ticket.change_id}", operator)

    def test_a_ticket_called_approved_clears_nothing(self, ticket: Ticket, operator: Actor) -> None:
        with pytest.raises(DatabaseError, match="has not been approved by"):
            self.run(f"UPDATE approvals_ticket SET state = 'approved' WHERE id = {ticket.pk}", operator)
        with pytest.raises(DatabaseError, match="has not been approved by"):
            self.run(f"UPDATE changes_change SET state = 'cleared' WHERE id = {ticket.change_id}", operator)

    def test_votes_for_another_fingerprint_clear_nothing(
        self, ticket: Ticket, operator: Actor, approver: Actor
    ) -> None:
        self.run(self.forged(ticket, approver, digest="0" * 64), operator)
        with pytest.raises(DatabaseError, match="has not been approved by"):
            self.run(f"UPDATE approvals_ticket SET state = 'approved' WHERE id = {ticket.pk}", operator)
        with pytest.raises(DatabaseError, match="has not been approved by"):
            self.run(f"UPDATE changes_change SET state = 'cleared' WHERE id = {ticket.change_id}", operator)

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE approvals_ticket SET digest = 'x' WHERE id = {id}",
            "UPDATE approvals_ticket SET required = 0 WHERE id = {id}",
            "UPDATE approvals_ticket SET requester_person_id = 99 WHERE id = {id}",
            "DELETE FROM approvals_ticket WHERE id = {id}",
            "UPDATE approvals_vote SET person_id = 99",
            "DELETE FROM approvals_vote",
            "TRUNCATE approvals_vote",
        ],
    )
    def test_tickets_and_votes_are_not_rewritten(
        self, ticket: Ticket, operator: Actor, approver: Actor, statement: str
    ) -> None:
        say(ticket, approver)
        with pytest.raises(DatabaseError, match=r"custody:|permission denied|must be owner|violates"):
            self.run(statement.format(id=ticket.pk), operator)

    def test_a_decided_ticket_is_not_decided_again(self, ticket: Ticket, operator: Actor, approver: Actor) -> None:
        say(ticket, approver, "reject", reason="no")
        with pytest.raises(DatabaseError, match="stays so"):
            self.run(f"UPDATE approvals_ticket SET state = 'approved' WHERE id = {ticket.pk}", operator)


def test_nobody_votes_for_a_change_that_was_never_asked(approver: Actor) -> None:
    with acting(approver), pytest.raises(TicketNotFound):
        decisions.vote(10**12, actor=approver, decision="approve", digest="x")
    with acting(approver):
        assert not Change.objects.filter(state=State.CLEARED).exists()
