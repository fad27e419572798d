"""Stages: who may decide now, in which order, and what a lost role does to a vote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, transaction

from approvals import decisions, starting
from approvals.errors import NotEntitled, RuleAuthor, VotesVoid
from approvals.models import Ticket
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from tests.journey import ask, keys_of
from tests.personas import orders

pytestmark = pytest.mark.django_db


@pytest.fixture
def staged(at_work: Actor, in_force: Callable[..., None], owner: psycopg.Connection) -> Any:
    """A ticket that needs one of `security`, then one approver. The operator is at work."""
    Group.objects.create(name="security")
    in_force({"name": "staged", "stages": [{"group": "security", "need": 1}, {"group": "approver", "need": 1}]})
    return ask(at_work, "shop.order", keys_of(orders(2))).ticket


def say(ticket: Ticket, actor: Actor, decision: str = "approve") -> Ticket:
    with acting(actor):
        return decisions.vote(ticket.pk, actor=actor, decision=decision, digest=ticket.digest, reason="a good reason")


def lose(actor: Actor, group: str = "approver") -> None:
    get_user_model().objects.get(pk=actor.user_id).groups.remove(Group.objects.get(name=group))


def test_the_second_stage_waits_for_the_first(staged: Ticket, approver: Actor, persona: Callable[..., Actor]) -> None:
    guard = persona("approver", "security", name="Sam Stone")
    with pytest.raises(NotEntitled, match="security"):
        say(staged, approver)
    assert say(staged, guard).state == Ticket.State.PENDING
    assert say(staged, approver).state == Ticket.State.APPROVED
    assert [stage.votes for stage in decisions.counted(staged)] == [1, 1]


def test_one_person_fills_one_stage_only(staged: Ticket, persona: Callable[..., Actor]) -> None:
    from approvals.errors import AlreadyVoted

    guard = persona("approver", "security", name="Sam Stone")
    second = persona("approver", name="Sam Stone", person=guard.person_id)
    say(staged, guard)
    with pytest.raises(AlreadyVoted):
        say(staged, second)


def test_the_database_orders_the_stages_too(staged: Ticket, approver: Actor) -> None:
    with acting(approver), pytest.raises(DatabaseError, match="may not decide"), transaction.atomic():
        forge(staged, approver)


def test_a_vote_in_another_persons_name_is_refused(at_work: Actor, approver: Actor, second_approver: Actor) -> None:
    ticket = ask(at_work, "shop.order", keys_of(orders(11))).ticket
    assert ticket is not None
    with acting(approver), pytest.raises(DatabaseError, match="may not decide"), transaction.atomic():
        forge(ticket, approver, person=second_approver.person_id)


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_the_author_of_the_rules_does_not_decide_by_them(
    at_work: Actor,
    approver: Actor,
    in_force: Callable[..., None],
    decision: str,
) -> None:
    in_force({"name": "all", "stages": [{"group": "approver", "need": 1}]}, author=approver.person_id)
    ticket = ask(at_work, "shop.order", keys_of(orders(2))).ticket
    assert ticket is not None
    with pytest.raises(RuleAuthor):
        say(ticket, approver, decision)
    with acting(approver), pytest.raises(DatabaseError, match="wrote the rules"), transaction.atomic():
        forge(ticket, approver)


def test_a_role_lost_before_the_start_makes_the_vote_void(
    at_work: Actor, approver: Actor, second_approver: Actor
) -> None:
    ticket = ask(at_work, "shop.order", keys_of(orders(11))).ticket
    assert ticket is not None
    say(ticket, approver)
    lose(approver)
    with pytest.raises(DatabaseError, match="not been approved"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE changes_change SET state = 'running' WHERE id = %s", [ticket.change_id])
    with pytest.raises(VotesVoid, match=approver.name):
        starting.start(ticket.change_id, actor=at_work)
    ticket.refresh_from_db()
    assert (ticket.state, ticket.round, ticket.change.state) == (Ticket.State.PENDING, 2, State.WAITING)
    assert say(ticket, second_approver).state == Ticket.State.APPROVED
    assert starting.start(ticket.change_id, actor=at_work).state == State.RUNNING


def test_a_vote_is_void_when_its_login_was_made_inactive(at_work: Actor, approver: Actor) -> None:
    ticket = ask(at_work, "shop.order", keys_of(orders(11))).ticket
    assert ticket is not None
    say(ticket, approver)
    get_user_model().objects.filter(pk=approver.user_id).update(is_active=False)
    with pytest.raises(VotesVoid):
        starting.start(ticket.change_id, actor=at_work)


def test_a_vote_lost_meanwhile_does_not_help_to_the_quorum(
    at_work: Actor,
    approver: Actor,
    second_approver: Actor,
    in_force: Callable[..., None],
) -> None:
    in_force({"name": "two", "stages": [{"group": "approver", "need": 2}]})
    ticket = ask(at_work, "shop.order", keys_of(orders(2))).ticket
    assert ticket is not None
    say(ticket, approver)
    lose(approver)
    assert say(ticket, second_approver).state == Ticket.State.PENDING


def forge(ticket: Ticket, actor: Actor, person: int | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO approvals_vote (tenant_id, ticket_id, requester_person_id, person_id, user_id, name, decision, "
            "digest, reason, stage) VALUES (1, %s, %s, %s, %s, 'x', 'approve', %s, '', 1)",
            [ticket.pk, ticket.requester_person_id, person or actor.person_id, actor.user_id, ticket.digest],
        )


@pytest.mark.parametrize(
    ("rule", "window", "state"),
    [
        ("window", {}, State.RUNNING),
        ("person", {}, State.CLEARED),
        ("window", {"not_before": "2999-01-01T00:00:00+00:00"}, State.CLEARED),
    ],
)
def test_only_a_rule_that_says_so_starts_a_change_and_only_in_its_window(
    at_work: Actor, approver: Actor, in_force: Callable[..., None], rule: str, window: Any, state: str
) -> None:
    in_force({"name": "all", "stages": [{"group": "approver", "need": 1}], "start": rule})
    when = {"from": "00:00", "to": "00:00"} | window
    ticket = ask(at_work, "shop.order", keys_of(orders(2)), window=when).ticket
    assert ticket is not None
    say(ticket, approver)
    assert starting.start_due() == (1 if state == State.RUNNING else 0)
    ticket.change.refresh_from_db()
    assert ticket.change.state == state
