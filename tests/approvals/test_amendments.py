"""Amendments: two people change rules, roles, groups and persons, and the database does it; nothing else can."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, transaction

from access.errors import NotAllowed
from access.models import Account
from approvals import amendments
from approvals.errors import (
    AmendmentNotOpen,
    AmendmentSubject,
    BadAmendment,
    NothingAmended,
    OwnAmendment,
    ReasonTooShort,
    UnknownKind,
)
from approvals.models import Amendment, RuleVersion
from approvals.rules import versions
from audit.models import Event
from foundation.actor import Actor
from foundation.context import acting

pytestmark = pytest.mark.django_db
WHY = "agreed in the weekly meeting"
ALL_NEED_TWO = {"rules": [{"name": "all", "stages": [{"group": "approver", "need": 2}]}]}


@pytest.fixture
def closed(owner: psycopg.Connection) -> Iterator[None]:
    """As a real installation is: roles are not written directly. The people of the test are there already."""
    yield from _closed(owner)


def _closed(owner: psycopg.Connection) -> Iterator[None]:
    owner.execute("UPDATE approvals_house SET provisioning = false")
    yield
    owner.execute("UPDATE approvals_house SET provisioning = true")


def propose(actor: Actor, kind: str, payload: dict[str, Any], reason: str = WHY) -> Amendment:
    with acting(actor):
        return amendments.propose(kind, payload, actor=actor, reason=reason)


def agree(amendment: Amendment, actor: Actor) -> Amendment:
    with acting(actor):
        return amendments.agree(amendment.pk, actor=actor)


def roles_of(actor: Actor) -> set[str]:
    return set(get_user_model().objects.get(pk=actor.user_id).groups.values_list("name", flat=True))


class TestRules:
    def test_they_hold_from_the_agreement_on(self, administrator: Actor, approver: Actor) -> None:
        proposed = propose(administrator, "rules", ALL_NEED_TWO)
        with acting(approver):
            assert versions.in_force().version == 0
            agree(proposed, approver)
            assert versions.in_force().version == 1
            assert [rule["name"] for rule in versions.in_force().rules] == ["all"]
            version = RuleVersion.objects.get()
        assert (version.author_person_id, version.amendment_id) == (administrator.person_id, proposed.pk)
        with acting(approver):
            acts = Event.objects.filter(action__startswith="amendment.").order_by("pk")
            found = [event.action for event in acts]
        assert found == ["amendment.proposed", "amendment.agreed"]

    def test_the_author_does_not_agree(self, administrator: Actor, persona: Callable[..., Actor]) -> None:
        proposed = propose(administrator, "rules", ALL_NEED_TWO)
        other_login = persona("approver", name="Nadia Petrova", person=administrator.person_id)
        for same in (administrator, other_login):
            with pytest.raises(OwnAmendment):
                agree(proposed, same)

    def test_rules_as_they_are_already_are_no_proposal(self, administrator: Actor) -> None:
        with pytest.raises(NothingAmended), acting(administrator):
            amendments.propose("rules", {"rules": versions.in_force().rules}, actor=administrator, reason=WHY)


class TestRoles:
    def test_a_role_is_given_and_taken(
        self, administrator: Actor, approver: Actor, operator: Actor, closed: None
    ) -> None:
        give = {"user": operator.user_id, "group": "engineer", "holds": True}
        agree(propose(administrator, "role", give), approver)
        assert roles_of(operator) == {"operator", "engineer"}
        agree(propose(administrator, "role", give | {"holds": False}), approver)
        assert roles_of(operator) == {"operator"}

    def test_nobody_agrees_to_a_role_of_their_own(
        self, administrator: Actor, approver: Actor, persona: Callable[..., Actor]
    ) -> None:
        proposed = propose(administrator, "role", {"user": approver.user_id, "group": "engineer", "holds": True})
        other_login = persona("administrator", name=approver.name, person=approver.person_id)
        for about in (approver, other_login):
            with pytest.raises(AmendmentSubject):
                agree(proposed, about)

    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO auth_user_groups (user_id, group_id) SELECT {user}, id FROM auth_group WHERE name = 'approver'",
            "DELETE FROM auth_user_groups",
            "UPDATE auth_group SET name = 'approver2' WHERE name = 'approver'",
            "INSERT INTO auth_group (name) VALUES ('more')",
            "UPDATE access_account SET person_id = (SELECT max(id) FROM access_person)",
            "DELETE FROM access_account",
        ],
    )
    def test_the_application_cannot_write_them_itself(self, operator: Actor, closed: None, statement: str) -> None:
        with acting(operator), pytest.raises(DatabaseError, match=r"custody:|permission denied"), transaction.atomic():
            execute(statement.format(user=operator.user_id))

    def test_the_application_cannot_open_the_house(self, operator: Actor, closed: None) -> None:
        with acting(operator), pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            execute("UPDATE approvals_house SET provisioning = true")

    def test_a_login_of_another_tenant_is_not_there(self, administrator: Actor, outsider: Actor) -> None:
        with pytest.raises(BadAmendment):
            propose(administrator, "role", {"user": outsider.user_id, "group": "approver", "holds": True})


class TestPersons:
    def test_a_new_login_gets_its_person(self, administrator: Actor, approver: Actor, closed: None) -> None:
        user = get_user_model().objects.create(username="fresh")
        agree(propose(administrator, "person", {"user": user.pk, "name": "Fresh Face"}), approver)
        account = Account.objects.get(user=user)
        assert (account.person.name, account.tenant_id) == ("Fresh Face", 1)

    def test_a_second_login_of_a_person_is_not_agreed_to_by_that_person(
        self, administrator: Actor, approver: Actor, second_approver: Actor
    ) -> None:
        user = get_user_model().objects.create(username="fresh")
        proposed = propose(administrator, "person", {"user": user.pk, "person": approver.person_id})
        with pytest.raises(AmendmentSubject):
            agree(proposed, approver)
        agree(proposed, second_approver)
        assert Account.objects.get(user=user).person_id == approver.person_id

    def test_a_group_is_made(self, administrator: Actor, approver: Actor, closed: None) -> None:
        agree(propose(administrator, "group", {"name": "security"}), approver)
        assert Group.objects.filter(name="security").exists()


class TestSteps:
    @pytest.mark.parametrize(
        ("kind", "payload", "error"),
        [
            ("everything", {}, UnknownKind),
            ("role", {"user": 10**8, "group": "approver"}, BadAmendment),
            ("role", {"user": "1", "group": "approver"}, BadAmendment),
            ("group", {"name": " "}, BadAmendment),
            ("group", {"name": "approver"}, NothingAmended),
            ("person", {}, BadAmendment),
        ],
    )
    def test_what_cannot_be_proposed_is_said(self, administrator: Actor, kind: str, payload: Any, error: Any) -> None:
        with pytest.raises(error):
            propose(administrator, kind, payload)

    def test_a_reason_is_needed(self, administrator: Actor) -> None:
        with pytest.raises(ReasonTooShort):
            propose(administrator, "group", {"name": "security"}, reason="because")

    def test_only_administrators_propose(self, operator: Actor) -> None:
        with pytest.raises(NotAllowed):
            propose(operator, "group", {"name": "security"})

    def test_only_approvers_and_administrators_agree(self, administrator: Actor, engineer: Actor) -> None:
        with pytest.raises(NotAllowed):
            agree(propose(administrator, "group", {"name": "security"}), engineer)

    def test_what_was_refused_or_withdrawn_stays_so(self, administrator: Actor, approver: Actor) -> None:
        refused = propose(administrator, "group", {"name": "security"})
        with acting(approver):
            amendments.refuse(refused.pk, actor=approver, answer="we have no such people")
        taken = propose(administrator, "group", {"name": "security"})
        with acting(administrator):
            amendments.withdraw(taken.pk, actor=administrator)
        for one in (refused, taken):
            with pytest.raises(AmendmentNotOpen):
                agree(one, approver)
        assert not Group.objects.filter(name="security").exists()

    @pytest.mark.parametrize(
        "columns",
        [
            'payload = \'{"name": "other"}\'',
            "author_person_id = 0",
            "subject_person_id = 7",
            "expires_at = now() + interval '9 y'",
        ],
    )
    def test_a_proposal_is_not_rewritten(self, administrator: Actor, columns: str) -> None:
        proposed = propose(administrator, "group", {"name": "security"})
        with acting(administrator), pytest.raises(DatabaseError, match="not rewritten"), transaction.atomic():
            execute(f"UPDATE approvals_amendment SET {columns} WHERE id = {proposed.pk}")

    def test_an_agreement_in_another_persons_name_is_refused(
        self, administrator: Actor, approver: Actor, operator: Actor
    ) -> None:
        proposed = propose(administrator, "group", {"name": "security"})
        forged = "UPDATE approvals_amendment SET state = 'agreed', decided_user_id = {}, decided_person_id = {} WHERE id = {}"
        for user, person in ((operator.user_id, approver.person_id), (operator.user_id, operator.person_id)):
            with acting(operator), pytest.raises(DatabaseError, match="may not agree"), transaction.atomic():
                execute(forged.format(user, person, proposed.pk))

    def test_an_amendment_cannot_begin_agreed(self, administrator: Actor) -> None:
        with acting(administrator), pytest.raises(DatabaseError, match="begins as a proposal"), transaction.atomic():
            execute(
                "INSERT INTO approvals_amendment (tenant_id, kind, payload, evidence, reason, state, author_person_id, "
                "author_name, expires_at, decided_name, answer) VALUES (1, 'group', '{}', '{}', 'x', 'agreed', 1, 'x', now(), '', '')"
            )


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
