"""Deciding, agreeing to an exemption and purging rest on a fresh proof, in Python and in the database."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import override_settings

from access.errors import StepUpNeeded
from access.models import ProofUse
from access.proofs import bound_to
from approvals import decisions, exemptions
from approvals.errors import DigestMoved, SelfApproval
from approvals.models import Ticket, Vote
from audit.models import Event, Exemption
from foundation.actor import Actor
from foundation.context import acting
from tests.access.test_proofs import older
from tests.databases import RealDatabase
from tests.journey import ask, keys_of
from tests.personas import orders, prove

pytestmark = pytest.mark.unproven


@pytest.fixture
def ticket(operator: Actor) -> Ticket:
    with acting(operator):
        outcome = ask(operator, "shop.order", keys_of(orders(12)))
    assert outcome.ticket is not None
    return outcome.ticket


def say(ticket: Ticket, voter: Actor, *, session: str | None = None, **more: Any) -> Ticket:
    with acting(voter, session=session):
        said = {"decision": "approve", "digest": ticket.digest} | more
        return decisions.vote(ticket.pk, actor=voter, **said)


def test_a_vote_without_a_proof_is_refused_and_leaves_nothing(ticket: Ticket, approver: Actor) -> None:
    with pytest.raises(StepUpNeeded):
        say(ticket, approver)
    with acting(approver):
        assert not Vote.objects.exists()
        assert not ProofUse.objects.exists()


def test_a_vote_keeps_the_proof_it_rests_on_and_so_does_the_record(ticket: Ticket, approver: Actor) -> None:
    proof = prove(approver)
    say(ticket, approver)
    with acting(approver):
        assert Vote.objects.get().proof == proof
        assert ProofUse.objects.get().resource == f"T-{ticket.pk}"
        assert Event.objects.filter(action="ticket.vote").get().facts["proof"] == proof.pk


def test_a_rejection_needs_one_too(ticket: Ticket, approver: Actor) -> None:
    with pytest.raises(StepUpNeeded):
        say(ticket, approver, decision="reject", reason="too many of them")


def test_a_proof_given_in_another_session_is_none_here(ticket: Ticket, approver: Actor) -> None:
    prove(approver, session=bound_to("session", "there"))
    with pytest.raises(StepUpNeeded):
        say(ticket, approver, session=bound_to("session", "here"))
    say(ticket, approver, session=bound_to("session", "there"))


def test_what_speaks_against_the_vote_is_said_before_anybody_is_asked_to_prove(
    ticket: Ticket, operator: Actor, approver: Actor, persona: Any
) -> None:
    own = persona("approver", name="Olivia Park", person=operator.person_id)
    with pytest.raises(SelfApproval):
        say(ticket, own)
    with pytest.raises(DigestMoved):
        say(ticket, approver, digest="0" * 64)


def test_a_proof_grown_old_is_refused_by_the_database(real_db: RealDatabase, ticket: Ticket, approver: Actor) -> None:
    proof = prove(approver)
    older(proof, 4000, real_db)
    with pytest.raises(StepUpNeeded):
        say(ticket, approver)
    with pytest.raises(DatabaseError, match="a vote needs a fresh proof"):
        forge(ticket, approver, proof.pk)


@pytest.mark.parametrize("whose", ["nobody", "another account", "another session", "made up"])
def test_a_vote_forged_with_sql_needs_a_good_proof_too(
    ticket: Ticket, approver: Actor, second_approver: Actor, whose: str
) -> None:
    proofs = {
        "nobody": lambda: "NULL",
        "another account": lambda: prove(second_approver).pk,
        "another session": lambda: prove(approver, session="elsewhere").pk,
        "made up": lambda: 987654321,
    }
    with pytest.raises(DatabaseError, match=r"a vote needs a fresh proof|violates foreign key"):
        forge(ticket, approver, proofs[whose]())


def forge(ticket: Ticket, voter: Actor, proof: Any) -> None:
    with acting(voter), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO approvals_vote (tenant_id, ticket_id, requester_person_id, person_id, user_id, name, decision, "
            f"digest, reason, proof_id) VALUES (1, {ticket.pk}, {ticket.requester_person_id}, {voter.person_id}, "
            f"{voter.user_id}, 'x', 'approve', '{ticket.digest}', '', {proof})"
        )


class TestExemptions:
    @pytest.fixture
    def asked(self, engineer: Actor) -> Exemption:
        with acting(engineer), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO audit_exemption (tenant_id, entity, role, transaction_rows, window_rows, reason, "
                "expires_at, asked_person_id, asked_name, agreed_name, withdrawn_name) VALUES (1, 'shop.order', 'etl', "
                "9, 9, 'the nightly load', now() + interval '1 day', %s, 'x', '', '') RETURNING id",
                [engineer.person_id],
            )
            return Exemption.objects.get(pk=cursor.fetchone()[0])

    def test_agreeing_asks_for_a_proof(self, asked: Exemption, approver: Actor) -> None:
        with acting(approver), pytest.raises(StepUpNeeded):
            exemptions.agree(asked.pk, actor=approver)
        proof = prove(approver)
        with acting(approver):
            exemptions.agree(asked.pk, actor=approver)
            assert ProofUse.objects.get(proof=proof).resource == f"E-{asked.pk}"

    def test_who_asked_is_told_so_before(self, asked: Exemption, persona: Any) -> None:
        own = persona("approver", name="Kenji Watanabe", person=asked.asked_person_id)
        with acting(own), pytest.raises(SelfApproval):
            exemptions.agree(asked.pk, actor=own)

    def test_the_database_asks_for_it_and_without_its_guard_it_would_not(
        self, real_db: RealDatabase, asked: Exemption, approver: Actor
    ) -> None:
        def agree_by_sql() -> int:
            with acting(approver):
                rows = Exemption.objects.filter(pk=asked.pk)
                return rows.update(agreed_at="2020-01-01T00:00Z", agreed_person_id=approver.person_id, agreed_name="x")

        with pytest.raises(DatabaseError, match="agreeing to an exemption needs a fresh proof"):
            agree_by_sql()
        with real_db.owner() as owner:
            owner.execute("DROP TRIGGER custody_proof ON audit_exemption")
        assert agree_by_sql() == 1


def test_asking_for_a_purge_needs_a_proof(engineer: Actor) -> None:
    with acting(engineer):
        rows = orders(2)
    with pytest.raises(StepUpNeeded):
        ask(engineer, "shop.order", keys_of(rows), operation="purge")


def test_an_act_taken_off_the_list_asks_for_none(real_db: RealDatabase, ticket: Ticket, approver: Actor) -> None:
    """The list is the database's: the application cannot shorten it, a migrate does."""
    with override_settings(CUSTODY_STEP_UP_ACTIONS=[]), pytest.raises(StepUpNeeded):
        say(ticket, approver)
    with real_db.owner() as owner:
        owner.execute("DELETE FROM access_stepuprule WHERE action = 'ticket.vote'")
    say(ticket, approver)
    with acting(approver):
        assert Vote.objects.get().proof_id is None
