"""What an attacker tries: a vote through a door, a vote written with SQL, any statement of the application's login."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from approvals import amendments, decisions
from approvals.models import Ticket
from foundation.actor import Actor
from foundation.context import acting
from tests.personas import prove, user_of

TWO = {"name": "two", "stages": [{"group": "approver", "need": 2}]}
NOBODY = {"name": "nobody", "stages": []}
WHY = "agreed in the weekly meeting"
REFUSED = r"custody:|permission denied|must be owner|violates"


def say(ticket: Ticket, actor: Actor, decision: str = "approve", **more: Any) -> Ticket:
    """Decide, as the verb."""
    with acting(actor):
        said = {"decision": decision, "digest": ticket.digest, "reason": "looked at it"} | more
        return decisions.vote(ticket.pk, actor=actor, **said)


def page(actor: Actor, ticket: Ticket, **more: Any) -> int:
    """Decide on the page; the status of the answer."""
    client = Client()
    client.force_login(user_of(actor), backend="django.contrib.auth.backends.ModelBackend")
    sent = {"decision": "approve", "digest": ticket.digest, "reason": ""} | more
    return int(client.post(f"/admin/tickets/{ticket.pk}/vote/", sent).status_code)


def api(actor: Actor, ticket: Ticket, **more: Any) -> int:
    """Decide through the API, with a token; the status of the answer."""
    sent = {"decision": "approve", "digest": ticket.digest, "reason": ""} | more
    return int(program(actor).post(f"/api/v1/tickets/{ticket.pk}/votes/", sent, format="json").status_code)


def program(actor: Actor) -> Any:
    """A client of the API with the persona's token."""
    from rest_framework.authtoken.models import Token
    from rest_framework.test import APIClient

    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.get_or_create(user=user_of(actor))[0].key}")
    return client


def forge(ticket: Ticket, voter: Actor, **other: Any) -> None:
    """A vote written by the application's login, good in everything but what `other` says."""
    facts = {
        "requester_person_id": ticket.requester_person_id,
        "person_id": voter.person_id,
        "user_id": voter.user_id,
        "name": "x",
        "decision": "approve",
        "digest": ticket.digest,
        "reason": "",
        "round": 1,
        "proof_id": prove(voter).pk,
    } | other
    columns = ", ".join(facts)
    places = ", ".join(["%s"] * len(facts))
    with acting(voter), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO approvals_vote (tenant_id, ticket_id, {columns}) VALUES (1, {ticket.pk}, {places})",
            list(facts.values()),
        )
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def run(actor: Actor, statement: str, *values: Any) -> int:
    """A statement of the application's login in the actor's name; how many rows it touched."""
    with acting(actor), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def refused(actor: Actor, statement: str, *values: Any, words: str = REFUSED) -> None:
    """The database refuses it."""
    with pytest.raises(DatabaseError, match=words):
        run(actor, statement, *values)


def amend(kind: str, payload: dict[str, Any], author: Actor, *agreed: Actor) -> Any:
    """Propose as one person, agree as others."""
    with acting(author):
        made = amendments.propose(kind, payload, actor=author, reason=WHY)
    for other in agreed:
        with acting(other):
            amendments.agree(made.pk, actor=other)
    return made


def states(ticket: Ticket) -> tuple[str, str]:
    """Of the ticket and of its change, now."""
    with acting(Actor.service("looker", tenant_id=1)):
        now = Ticket.objects.select_related("change").get(pk=ticket.pk)
        return str(now.state), str(now.change.state)


def votes(ticket: Ticket) -> int:
    with acting(Actor.service("looker", tenant_id=1)):
        return Ticket.objects.get(pk=ticket.pk).votes.count()


WAITING = ("pending", "waiting")
CLEARED = ("approved", "cleared")
