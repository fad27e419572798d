"""Every answer of the policy is on record, the denials too; nobody has a role that was not given."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.utils import ProgrammingError

from access.actors import actor_for
from access.enforcement import allowed, enforce
from access.errors import NotAllowed
from access.models import Account, Decision, Person
from foundation.actor import Actor
from tests.personas import user_of

pytestmark = pytest.mark.django_db


def test_what_is_allowed_is_recorded(operator: Actor) -> None:
    number = enforce(operator, "change.request", "shop.order")
    decision = Decision.objects.get(pk=number)
    assert (decision.allowed, decision.rule, decision.action) == (True, "role operator", "change.request")
    assert (decision.resource, decision.actor_name) == ("shop.order", operator.name)
    assert (decision.user_id, decision.person_id, decision.tenant_id) == (operator.user_id, operator.person_id, 1)
    assert decision.decided_at is not None


def test_what_is_denied_is_recorded_too(auditor: Actor) -> None:
    with pytest.raises(NotAllowed) as refused:
        enforce(auditor, "change.request", "shop.order")
    decision = Decision.objects.get()
    assert (decision.allowed, decision.rule, decision.actor_name) == (False, "no role that may", auditor.name)
    assert str(refused.value) == "Your role does not allow this: change.request. Roles that may: engineer, operator."


def test_asking_what_to_show_leaves_no_record(operator: Actor) -> None:
    assert allowed(operator, "change.request")
    assert not allowed(operator, "ticket.vote")
    assert Decision.objects.count() == 0


@pytest.mark.parametrize("attempt", ["update", "delete"])
def test_a_decision_cannot_be_changed_by_the_application(operator: Actor, attempt: str) -> None:
    enforce(operator, "change.request", "shop.order")
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        if attempt == "update":
            Decision.objects.update(allowed=False)
        else:
            Decision.objects.all().delete()


def test_a_superuser_gets_nothing_by_being_one(persona: Callable[..., Actor]) -> None:
    root = persona(name="Root", is_superuser=True)
    assert user_of(root).is_superuser
    assert root.roles == frozenset()
    assert not allowed(root, "entity.browse")
    with pytest.raises(NotAllowed):
        enforce(root, "ticket.vote", "T-1")


def test_an_inactive_login_has_no_roles(persona: Callable[..., Actor]) -> None:
    assert persona("operator", "approver", name="Gone", is_active=False).roles == frozenset()


def test_a_login_without_an_account_may_nothing() -> None:
    user = get_user_model().objects.create(username="loose")
    user.groups.add(Group.objects.get(name="operator"))
    actor = actor_for(user)
    assert (actor.roles, actor.person_id, actor.tenant_id) == (frozenset(), None, None)
    assert actor_for(user, tenant_id=1).roles == frozenset()


def test_an_actor_is_its_person_tenant_and_groups(persona: Callable[..., Actor]) -> None:
    actor = persona("operator", "approver", name="Both Roles", tenant=2)
    assert (actor.kind, actor.name, actor.tenant_id) == ("user", "Both Roles", 2)
    assert actor.roles == {"operator", "approver"}


def test_two_accounts_may_be_one_person(persona: Callable[..., Actor]) -> None:
    first = persona("operator", name="Olivia Park")
    second = persona("approver", name="O. Park", person=first.person_id)
    assert first.user_id != second.user_id
    assert first.person_id == second.person_id


def test_a_login_without_a_name_is_called_by_its_username() -> None:
    user = get_user_model().objects.create(username="robot")
    Account.objects.create(user=user, person=Person.objects.create(name="R"), tenant_id=None)
    assert actor_for(user).name == "robot"


def test_every_role_is_a_group() -> None:
    assert set(Group.objects.values_list("name", flat=True)) >= {
        "operator", "approver", "auditor", "engineer", "administrator",
    }  # fmt: skip
