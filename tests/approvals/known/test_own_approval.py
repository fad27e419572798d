"""Approvals of what is one's own, as other products let them through: another login, a role given to oneself, a root."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import DatabaseError

from access.actors import actor_for
from access.errors import NotAllowed
from access.models import Account
from approvals import amendments, starting
from approvals.errors import (
    AlreadyVoted,
    AmendmentSubject,
    OwnAmendment,
    SelfApproval,
    VotesVoid,
)
from approvals.models import Ticket, Vote
from foundation.actor import Actor
from foundation.context import acting
from foundation.errors import CustodyError
from tests.approvals.known.tries import (
    CLEARED,
    WAITING,
    WHY,
    amend,
    forge,
    page,
    program,
    refused,
    say,
    states,
    votes,
)
from tests.personas import user_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def closed(owner: psycopg.Connection) -> Iterator[None]:
    """As a real installation is: roles and persons are not written directly."""
    owner.execute("UPDATE approvals_house SET provisioning = false")
    yield
    owner.execute("UPDATE approvals_house SET provisioning = true")


@pytest.fixture
def third(persona: Callable[..., Actor]) -> Actor:
    return persona("administrator", name="Third Person")


@pytest.fixture
def same_person(administrator: Actor, persona: Callable[..., Actor]) -> Actor:
    """Another login of the administrator's person."""
    return persona("approver", name="Nadia Petrova", person=administrator.person_id)


def lose(actor: Actor, group: str = "approver") -> None:
    user_of(actor).groups.remove(Group.objects.get(name=group))


def test_a_second_login_of_the_requester_is_the_requester(
    ticket: Ticket, operator: Actor, persona: Callable[..., Actor], door: Any
) -> None:
    """CVE-2026-92528 (GitLab): who had written the change approved it through another identity of the same person."""
    other = persona("approver", name="Another Name", person=operator.person_id)
    assert door(other, ticket) == 403
    with pytest.raises(SelfApproval):
        say(ticket, other)
    with pytest.raises(DatabaseError, match="not_the_requester"):
        forge(ticket, other)
    assert states(ticket) == WAITING


def test_an_address_or_a_name_taken_over_makes_nobody_another_person(
    ticket: Ticket, operator: Actor, approver: Actor, persona: Callable[..., Actor]
) -> None:
    """CVE-2026-92528 (GitLab): who somebody is was read from an address that anybody could write."""
    other = persona("operator", "approver", name="Olivia Park", person=operator.person_id)
    address = user_of(approver).email
    get_user_model().objects.filter(pk=other.user_id).update(
        email=address, first_name="Amir", last_name="Haddad", username=f"{address}.2"
    )
    with pytest.raises(SelfApproval):
        say(ticket, actor_for(user_of(other)))
    assert votes(ticket) == 0


def test_a_login_named_by_a_number_is_not_the_login_of_that_number(ticket: Ticket, approver: Actor) -> None:
    """CVE-2025-41115 (Grafana): a numeric identity from outside became the login of that number."""
    user = get_user_model().objects.create(username=str(approver.user_id), is_staff=True)
    stranger = actor_for(user)
    assert (stranger.person_id, stranger.roles) == (None, frozenset())
    assert page(stranger, ticket) in (302, 403, 404)
    assert votes(ticket) == 0


def test_logins_joined_into_one_person_have_one_vote(
    for_two: Ticket,
    approver: Actor,
    second_approver: Actor,
    administrator: Actor,
    third: Actor,
    closed: None,
) -> None:
    """GHSA-qv95-g3gm-x542 (Vault): merging two identities carried the rights of the one over to the other."""
    say(for_two, approver)
    joined = {"user": second_approver.user_id, "person": approver.person_id}
    with pytest.raises(CustodyError):
        amend("person", joined, administrator, second_approver)
    amend("person", joined, administrator, third)
    with pytest.raises(AlreadyVoted):
        say(for_two, actor_for(user_of(second_approver)))
    assert states(for_two) == WAITING


def test_two_votes_that_turn_out_to_be_one_persons_start_nothing(
    for_two: Ticket, operator: Actor, approver: Actor, second_approver: Actor
) -> None:
    """GHSA-qv95-g3gm-x542 (Vault), the other way round: joined after both have voted."""
    say(for_two, approver)
    say(for_two, second_approver)
    assert states(for_two) == CLEARED
    Account.objects.filter(user_id=second_approver.user_id).update(person_id=approver.person_id)
    refused(operator, "UPDATE changes_change SET state = 'running' WHERE id = %s", for_two.change_id)
    with acting(operator), pytest.raises(VotesVoid):
        starting.start(for_two.change_id, actor=operator)
    assert states(for_two) == WAITING


def test_who_has_left_the_group_is_not_counted(
    for_two: Ticket, approver: Actor, second_approver: Actor, persona: Callable[..., Actor]
) -> None:
    """GHSA-m979-w9wj-qfj9 (Vault): membership of a group was remembered after it had ended."""
    say(for_two, approver)
    lose(approver)
    say(for_two, second_approver)
    assert states(for_two) == WAITING
    say(for_two, persona("approver", name="Third Person"))
    assert states(for_two) == CLEARED


def test_who_has_left_the_group_starts_nothing(ticket: Ticket, operator: Actor, approver: Actor) -> None:
    """GHSA-m979-w9wj-qfj9 (Vault): entitled at the vote is not enough; it is asked again at the start."""
    say(ticket, approver)
    lose(approver)
    refused(operator, "UPDATE changes_change SET state = 'running' WHERE id = %s", ticket.change_id)
    with acting(operator), pytest.raises(VotesVoid):
        starting.start(ticket.change_id, actor=operator)
    assert states(ticket) == WAITING


@pytest.mark.parametrize("roles", [(), ("operator",), ("administrator",), ("operator", "engineer", "administrator")])
def test_a_superuser_decides_nothing_by_being_one(
    ticket: Ticket, persona: Callable[..., Actor], door: Any, roles: tuple[str, ...]
) -> None:
    """CVE-2025-5999 and CVE-2025-54996 (Vault): an operator of identities became root."""
    root = persona(*roles, name="Root Root", is_superuser=True)
    assert door(root, ticket) == 403
    with pytest.raises(NotAllowed):
        say(ticket, root)
    with pytest.raises(DatabaseError, match="may not decide"):
        forge(ticket, root)
    assert states(ticket) == WAITING


def test_who_keeps_the_groups_does_not_join_one_alone(administrator: Actor, same_person: Actor, closed: None) -> None:
    """GHSA-76cc-p55w-63g3 (Teleport): the owner of an access list granted it to himself."""
    mine = {"user": administrator.user_id, "group": "approver", "holds": True}
    made = amend("role", mine, administrator)
    for same in (administrator, same_person):
        with acting(same), pytest.raises((OwnAmendment, AmendmentSubject)):
            amendments.agree(made.pk, actor=same)
    refused(
        administrator,
        "INSERT INTO auth_user_groups (user_id, group_id) SELECT %s, id FROM auth_group WHERE name = 'approver'",
        administrator.user_id,
    )
    assert "approver" not in actor_for(user_of(administrator)).roles


def test_who_gets_a_role_does_not_agree_to_it(administrator: Actor, approver: Actor, closed: None) -> None:
    """GHSA-76cc-p55w-63g3 (Teleport): the member an owner adds is not the one who agrees."""
    made = amend("role", {"user": approver.user_id, "group": "engineer", "holds": True}, administrator)
    with acting(approver), pytest.raises(AmendmentSubject):
        amendments.agree(made.pk, actor=approver, answer=WHY)


@pytest.mark.parametrize("group", ["approver", "administrator"])
def test_a_forged_form_of_the_admin_gives_no_role(
    administrator: Actor, operator: Actor, closed: None, group: str
) -> None:
    """CVE-2026-4277 and CVE-2026-4292 (Django): the admin saved fields of a form that it had not shown."""
    from django.test import Client

    client = Client()
    client.force_login(user_of(administrator), backend="django.contrib.auth.backends.ModelBackend")
    user = user_of(operator)
    forged = {
        "username": user.username,
        "groups": [Group.objects.get(name=group).pk],
        "is_active": "on",
        "is_superuser": "on",
        "is_staff": "on",
        "user_permissions": [1],
    }
    client.post(f"/admin/auth/user/{user.pk}/change/", forged)
    user.refresh_from_db()
    assert actor_for(user).roles == {"operator"}
    assert not user.is_superuser


def test_nobody_asks_and_decides_through_somebody_who_acts_for_them(
    ticket: Ticket, operator: Actor, engineer: Actor, persona: Callable[..., Actor]
) -> None:
    """gitea 94205: the sender of the event was asked about, not the author. Whoever starts, the author stays the author."""
    for column in ("requester_person_id", "requested_by_id"):
        refused(
            engineer, f"UPDATE changes_change SET {column} = %s WHERE id = %s", engineer.person_id, ticket.change_id
        )
    refused(engineer, "UPDATE approvals_ticket SET requester_person_id = 0 WHERE id = %s", ticket.pk)
    author = persona("approver", name="Olivia Park", person=operator.person_id)
    with pytest.raises(SelfApproval):
        say(ticket, author)
    for lie in (engineer.person_id, 0):
        with pytest.raises(DatabaseError, match=r"approvals_vote_ticket_fk|may not decide|violates"):
            forge(ticket, author, requester_person_id=lie)
    assert states(ticket) == WAITING


@pytest.mark.parametrize("role", ["operator", "auditor", "engineer", "administrator"])
@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_what_readers_say_of_it_is_no_decision(
    ticket: Ticket, persona: Callable[..., Actor], door: Any, role: str, decision: str
) -> None:
    """gitea 71184: a review by somebody without the right to approve let the run go on."""
    reader = persona(role, name="Some Reader")
    assert door(reader, ticket, decision=decision, reason="looks fine to me") == 403
    with pytest.raises(DatabaseError, match="may not decide"):
        forge(ticket, reader, decision=decision)
    assert (states(ticket), votes(ticket)) == (WAITING, 0)


def test_a_machine_that_asks_hides_nobody_and_decides_nothing(ticket: Ticket, approver: Actor) -> None:
    """gitea 94205, and approvals by tokens of nobody: services and logins without a person have no vote."""
    for person in (None, approver.person_id):
        robot = Actor(kind="service", name="robot", tenant_id=1, person_id=person, roles=frozenset({"approver"}))
        with pytest.raises(CustodyError):
            say(ticket, robot)
    assert votes(ticket) == 0


def test_a_token_is_its_owner(ticket: Ticket, operator: Actor, persona: Callable[..., Actor]) -> None:
    """CVE-2026-92528 (GitLab), row of tokens: a program of the requester votes as the requester."""
    own = persona("operator", "approver", name="Olivia's Program", person=operator.person_id)
    answer = program(own).post(
        f"/api/v1/tickets/{ticket.pk}/votes/", {"decision": "approve", "digest": ticket.digest}, format="json"
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "self_approval")
    assert not Vote.objects.exists()
