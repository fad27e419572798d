"""A fresh proof belongs to one account, one person and one session, and only the database says when it was given."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import override_settings

from access import proofs, step_up_rules
from access.errors import MethodNotTaken, StepUpNeeded
from access.models import Proof, ProofUse
from foundation.actor import Actor
from foundation.context import acting
from tests.changes.test_races import at_once
from tests.databases import RealDatabase
from tests.personas import prove

pytestmark = pytest.mark.unproven
HERE, ELSEWHERE = proofs.bound_to("session", "here"), proofs.bound_to("session", "elsewhere")


def needs(actor: Actor, *, session: str | None = HERE, action: str = "ticket.vote") -> int | None:
    with acting(actor, session=session):
        return proofs.require(actor, action, "T-1")


def older(proof: Proof, seconds: int, real_db: RealDatabase) -> None:
    """Only the owner, with the trigger away, can make a proof older."""
    with real_db.owner() as owner:
        owner.execute("ALTER TABLE access_proof DISABLE TRIGGER custody_kept")
        owner.execute(
            "UPDATE access_proof SET proved_at = proved_at - make_interval(secs => %s) WHERE id = %s",
            [seconds, proof.pk],
        )
        owner.execute("ALTER TABLE access_proof ENABLE ALWAYS TRIGGER custody_kept")


def test_without_a_proof_the_act_is_refused(approver: Actor) -> None:
    with pytest.raises(StepUpNeeded, match="fresh proof") as refused:
        needs(approver)
    assert refused.value.facts["action"] == "ticket.vote"


@pytest.mark.parametrize("method", ["password", "code", "passkey"])
def test_each_way_to_prove_is_good_for_the_act_and_its_use_is_kept(approver: Actor, method: str) -> None:
    proof = prove(approver, session=HERE, method=method)
    assert needs(approver) == proof.pk
    use = ProofUse.objects.get(proof=proof)
    assert (use.action, use.resource) == ("ticket.vote", "T-1")


def test_one_proof_is_good_for_several_acts_while_it_is_fresh(approver: Actor) -> None:
    proof = prove(approver, session=HERE)
    assert needs(approver) == needs(approver, action="exemption.agree") == proof.pk
    assert proof.uses.count() == 2


def test_a_proof_of_another_session_is_none(approver: Actor) -> None:
    prove(approver, session=ELSEWHERE)
    with pytest.raises(StepUpNeeded):
        needs(approver)


def test_a_proof_of_a_token_is_none_for_a_session(approver: Actor) -> None:
    prove(approver, session=proofs.bound_to("token", "here"))
    with pytest.raises(StepUpNeeded):
        needs(approver)


def test_a_proof_of_another_account_of_the_same_person_is_none(persona: Callable[..., Actor], approver: Actor) -> None:
    second = persona("approver", name="Amir Haddad", person=approver.person_id)
    prove(second, session=HERE)
    with pytest.raises(StepUpNeeded):
        needs(approver)


def test_an_account_that_was_given_to_another_person_proves_anew(
    persona: Callable[..., Actor], approver: Actor
) -> None:
    from access.actors import actor_for
    from access.models import Account
    from tests.personas import user_of

    prove(approver, session=HERE)
    other = persona(name="Ann Other")
    Account.objects.filter(user_id=approver.user_id).update(person_id=other.person_id)
    with pytest.raises(StepUpNeeded):
        needs(actor_for(user_of(approver)))


def test_the_databases_clock_says_when_a_proof_is_too_old(real_db: RealDatabase, approver: Actor) -> None:
    proof = prove(approver, session=HERE)
    older(proof, 3590, real_db)
    assert needs(approver) == proof.pk
    older(proof, 20, real_db)
    with pytest.raises(StepUpNeeded):
        needs(approver)


def test_an_actor_proves_nothing_in_anothers_context(approver: Actor, operator: Actor) -> None:
    prove(operator, session=HERE)
    with acting(operator, session=HERE):
        with pytest.raises(StepUpNeeded):
            proofs.require(approver, "ticket.vote")
        with pytest.raises(LookupError):
            proofs.record(approver, "password")


def test_services_are_not_asked_and_other_acts_ask_for_nothing(approver: Actor) -> None:
    service = Actor.service("scheduler", tenant_id=1)
    with acting(service):
        assert proofs.require(service, "change.purge") is None
    assert needs(approver, action="change.request") is None


@override_settings(CUSTODY_STEP_UP_METHODS=["passkey"])
def test_a_way_that_is_not_taken_is_refused_with_those_that_are(approver: Actor) -> None:
    with pytest.raises(MethodNotTaken, match="passkey"):
        prove(approver, session=HERE)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO access_proof (user_id, person_id, method, session, asked_for, proved_at) "
        "VALUES ({user}, {person}, 'password', '', '', now() + interval '1 day')",
        "UPDATE access_proof SET proved_at = now() + interval '1 day'",
        "UPDATE access_proof SET session = ''",
        "DELETE FROM access_proof",
        "TRUNCATE access_proof",
        "UPDATE access_stepuprule SET seconds = 1000000",
        "DELETE FROM access_stepuprule",
        "INSERT INTO access_proofuse (proof_id, action, resource, used_at) VALUES ({proof}, 'x', 'x', now())",
    ],
)
def test_the_application_writes_no_proof_by_itself(approver: Actor, statement: str) -> None:
    facts = {"user": approver.user_id, "person": approver.person_id, "proof": prove(approver).pk}
    refused = pytest.raises(DatabaseError, match="permission denied")
    with acting(approver), connection.cursor() as cursor, refused, transaction.atomic():
        cursor.execute(statement.format(**facts))


def test_the_owner_rewrites_no_proof_either(real_db: RealDatabase, approver: Actor) -> None:
    prove(approver)
    for statement in (
        "UPDATE access_proof SET session = 'x'",
        "DELETE FROM access_proof",
        "TRUNCATE access_proof CASCADE",
    ):
        with real_db.owner() as owner, pytest.raises(Exception, match="only ever added to"):
            owner.execute(statement)


@pytest.mark.django_db
def test_nobody_has_no_proof() -> None:
    with pytest.raises(DatabaseError, match="nobody is logged in"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT custody.record_proof('password', '')")


def test_of_two_at_once_one_spends_a_code(real_db: RealDatabase, approver: Actor) -> None:
    taken = at_once(*[lambda: proofs.spend_step(approver.user_id or 0, 58_000_000)] * 8)
    assert sorted(bool(one) for one in taken) == [False] * 7 + [True]
    assert not proofs.spend_step(approver.user_id or 0, 57_999_999), (
        "an earlier code is worth nothing after a later one"
    )
    assert proofs.spend_step(approver.user_id or 0, 58_000_001)


class TestConfiguration:
    @override_settings(CUSTODY_STEP_UP_ACTIONS=["ticket.vote", "ticket.eat"])
    def test_an_unknown_action_is_an_error_and_one_left_out_is_told(self) -> None:
        found = step_up_rules.settings_make_sense()
        assert [one.id for one in found if "ticket.eat" in one.msg] == ["custody.E040"]
        assert {one.id for one in found if "leaves out" in one.msg} == {"custody.W041"}

    @pytest.mark.django_db
    def test_the_database_and_the_settings_agree(self) -> None:
        assert step_up_rules.rules_in_step(databases=["default"]) == []

    @pytest.mark.django_db
    @override_settings(CUSTODY_STEP_UP_SECONDS=10**6)
    def test_settings_that_the_database_does_not_know_are_told(self) -> None:
        assert [one.id for one in step_up_rules.rules_in_step(databases=["default"])] == ["custody.E042"]

    @pytest.mark.parametrize(
        "sabotage",
        [
            "DROP TRIGGER custody_kept ON access_proof",
            "ALTER TABLE access_proof DISABLE TRIGGER custody_emptied",
            "CREATE OR REPLACE FUNCTION custody.proof_holds(asked text, proof bigint, account bigint, human bigint) "
            "RETURNS boolean LANGUAGE sql AS 'SELECT true'",
        ],
    )
    def test_the_check_sees_a_guard_that_is_gone(self, real_db: RealDatabase, sabotage: str) -> None:
        with real_db.owner() as owner:
            owner.execute(sabotage)
        assert step_up_rules.rules_in_step(databases=["default"])
