"""The database takes no word for it: a ticket is approved by votes and expires by its time."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from approvals.models import Ticket
from foundation.actor import Actor
from tests.journey import agree, ask, keys_of
from tests.personas import orders

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(at_work: Actor) -> Ticket:
    outcome = ask(at_work, "shop.order", keys_of(orders(12)))
    assert outcome.ticket is not None
    return outcome.ticket


@pytest.mark.parametrize(
    ("state", "words"), [("approved", "not been approved by enough others"), ("expired", "has not expired yet")]
)
def test_a_written_word_decides_nothing(ticket: Ticket, state: str, words: str) -> None:
    with pytest.raises(DatabaseError, match=words), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE approvals_ticket SET state = %s WHERE id = %s", [state, ticket.pk])
    ticket.refresh_from_db()
    assert ticket.state == Ticket.State.PENDING


def test_the_vote_of_another_person_does(ticket: Ticket, approver: Actor, at_work: Actor) -> None:
    agree(ticket, approver)
    ticket.refresh_from_db()
    assert ticket.state == Ticket.State.APPROVED


def test_a_decided_ticket_stays_decided(ticket: Ticket, approver: Actor, at_work: Actor) -> None:
    agree(ticket, approver)
    for state in ("pending", "rejected", "expired"):
        with pytest.raises(DatabaseError, match="stays so"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE approvals_ticket SET state = %s WHERE id = %s", [state, ticket.pk])
