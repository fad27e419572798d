"""What is sent back is edited, frozen anew under its number and asked for once more; votes are void, editors have none."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from approvals import decisions, gate, tickets
from approvals.errors import (
    ContributorVotes,
    DigestMoved,
    RowsInAnotherTicket,
    SelfApproval,
    SendingBackNeedsReason,
    TicketNotPending,
    TicketNotSentBack,
)
from approvals.models import Contributor, Ticket, Vote
from audit.models import Event
from changes import drafts, execution
from changes.errors import EmptySelection, ReasonMissing, WrongState
from changes.models import Change, ChangePart, FrozenRow
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order, UserTag
from tests.changes.test_races import as_actor, at_once, refusals
from tests.databases import RealDatabase
from tests.journey import agree, ask, carry_out, keys_of, start, work
from tests.personas import orders, tags

WHY = "leave out the open ones"


@pytest.fixture
def rows(real_db: RealDatabase, operator: Actor) -> list[Any]:
    with acting(operator):
        return list(orders(24))


@pytest.fixture
def asked(rows: list[Any], operator: Actor) -> gate.Outcome:
    return ask(operator, "shop.order", keys_of(rows[:12]))


def send_back(ticket: Ticket | None, voter: Actor, reason: str = WHY) -> Ticket:
    assert ticket is not None
    with acting(voter):
        return decisions.send_back(ticket.pk, actor=voter, digest=ticket.digest, reason=reason)


def again(ticket: Ticket | None, actor: Actor, **asked: Any) -> gate.Outcome:
    assert ticket is not None
    with acting(actor):
        return gate.ask_again(ticket.pk, actor=actor, **{"reason": "asked in other words"} | asked)


def held(actor: Actor, change: Change) -> Change:
    with acting(actor):
        return Change.objects.get(pk=change.pk)


def test_it_is_a_draft_again_and_the_reason_is_kept(asked: gate.Outcome, operator: Actor, approver: Actor) -> None:
    ticket = send_back(asked.ticket, approver)
    assert (ticket.state, ticket.round) == (Ticket.State.SENT_BACK, 1)
    assert held(operator, asked.change).state == State.DRAFT
    with acting(operator):
        told = Event.objects.get(change_id=asked.change.pk, action="ticket.sent_back")
        assert (told.operator_name, told.facts["reason"]) == ("Amir Haddad", WHY)


def test_other_words_give_another_fingerprint_and_a_new_round(
    asked: gate.Outcome, operator: Actor, approver: Actor
) -> None:
    send_back(asked.ticket, approver)
    outcome = again(asked.ticket, operator, title="Old orders of one buyer")
    ticket = outcome.ticket
    assert ticket is not None
    assert (ticket.pk, ticket.round, ticket.state) == (asked.ticket.pk, 2, Ticket.State.PENDING)
    assert (ticket.title, outcome.change.reason) == ("Old orders of one buyer", "asked in other words")
    assert outcome.change.pk == asked.change.pk
    assert ticket.digest == outcome.change.digest != asked.ticket.digest
    assert carry_out(outcome, operator, approver).state == State.DONE


def test_another_selection_is_frozen_anew_and_nothing_of_the_first_is_left(
    asked: gate.Outcome, rows: list[Any], operator: Actor, approver: Actor
) -> None:
    send_back(asked.ticket, approver)
    outcome = again(asked.ticket, operator, selection=keys_of(rows[11:]))
    with acting(operator):
        frozen = set(FrozenRow.objects.filter(change_id=outcome.change.pk, part=0).values_list("position", flat=True))
        assert frozen == {row.pk for row in rows[11:]}
        assert list(ChangePart.objects.filter(change_id=outcome.change.pk).values_list("rows", flat=True)) == [13]
    done = carry_out(outcome, operator, approver)
    assert (done.state, done.applied) == (State.DONE, 13)
    with acting(operator):
        assert Order.objects.count() == 11


def test_votes_before_count_for_nothing(
    real_db: RealDatabase, operator: Actor, approver: Actor, second_approver: Actor
) -> None:
    """Two must agree; one has, the other sends it back; afterwards two must agree anew."""
    with acting(operator):
        made = tags(10_001)
    asked = ask(operator, "shop.usertag", keys_of(made))
    assert asked.ticket is not None
    agree(asked.ticket, approver)
    send_back(asked.ticket, second_approver)
    outcome = again(asked.ticket, operator)
    assert outcome.ticket is not None
    agree(outcome.ticket, second_approver)
    with acting(operator):
        assert Ticket.objects.get(pk=asked.ticket.pk).state == Ticket.State.PENDING
        assert Vote.objects.filter(ticket=asked.ticket.pk).count() == 2
    agree(outcome.ticket, approver)
    with acting(operator):
        assert Ticket.objects.get(pk=asked.ticket.pk).state == Ticket.State.APPROVED
        assert UserTag.objects.count() == 10_001


def test_a_vote_on_the_first_fingerprint_is_refused(asked: gate.Outcome, operator: Actor, approver: Actor) -> None:
    send_back(asked.ticket, approver)
    again(asked.ticket, operator)
    with pytest.raises(DigestMoved):
        agree(asked.ticket, approver)


def test_whoever_edits_it_has_no_vote(asked: gate.Outcome, operator: Actor, approver: Actor, persona: Any) -> None:
    both = persona("approver", "engineer", name="Vera Both")
    send_back(asked.ticket, approver)
    outcome = again(asked.ticket, both)
    with acting(operator):
        names = Contributor.objects.filter(change_id=asked.change.pk).values_list("name", flat=True)
        assert sorted(names) == ["Olivia Park", "Vera Both"]
        assert Change.objects.get(pk=asked.change.pk).requester_person_id == operator.person_id
    with pytest.raises(ContributorVotes):
        agree(outcome.ticket, both)
    with pytest.raises(ContributorVotes):
        send_back(outcome.ticket, both)
    agree(outcome.ticket, approver)


def test_another_login_of_the_same_person_has_none_either(
    asked: gate.Outcome, operator: Actor, approver: Actor, persona: Any
) -> None:
    edits = persona("engineer", name="Vera Both")
    votes = persona("approver", name="Vera Other", person=edits.person_id)
    send_back(asked.ticket, approver)
    with pytest.raises(ContributorVotes):
        agree(again(asked.ticket, edits).ticket, votes)


def vote_by_hand(ticket: Ticket, person: Actor) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO approvals_vote (tenant_id, ticket_id, requester_person_id, person_id, user_id, name, decision, "
            "digest, reason, round) VALUES (1, %s, %s, %s, %s, 'x', 'approve', %s, '', %s)",
            [ticket.pk, ticket.requester_person_id, person.person_id, person.user_id, ticket.digest, ticket.round],
        )


def test_the_database_refuses_a_contributors_vote_and_without_the_guard_it_would_count(
    asked: gate.Outcome, approver: Actor, engineer: Actor, real_db: RealDatabase
) -> None:
    send_back(asked.ticket, approver)
    ticket = again(asked.ticket, engineer).ticket
    assert ticket is not None
    with acting(approver), pytest.raises(DatabaseError, match="had a hand in"):
        vote_by_hand(ticket, engineer)
    with real_db.owner() as owner:
        owner.execute("DROP TRIGGER custody_outsider ON approvals_vote")
    with acting(approver):
        vote_by_hand(ticket, engineer)


def test_a_draft_remembers_whoever_wrote_it(real_db: RealDatabase, operator: Actor, engineer: Actor) -> None:
    """Through whatever door: here past every verb."""
    with acting(operator):
        draft = drafts.save(operator, entity="shop.order", operation="delete", selection={"where": []})
    with acting(engineer), connection.cursor() as cursor:
        cursor.execute("UPDATE changes_change SET options = '{}' WHERE id = %s", [draft.pk])
        found = Contributor.objects.filter(change_id=draft.pk).values_list("person_id", flat=True)
        assert sorted(found) == sorted([operator.person_id, engineer.person_id])
        for statement in ("DELETE FROM approvals_contributor", "UPDATE approvals_contributor SET person_id = 0"):
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                cursor.execute(statement)


class TestRefusals:
    def test_the_requester_does_not_send_back(self, asked: gate.Outcome, persona: Any, operator: Actor) -> None:
        other_login = persona("approver", name="Olivia Two", person=operator.person_id)
        with pytest.raises(SelfApproval):
            send_back(asked.ticket, other_login)

    def test_it_needs_a_reason(self, asked: gate.Outcome, approver: Actor) -> None:
        with pytest.raises(SendingBackNeedsReason):
            send_back(asked.ticket, approver, reason="  ")

    def test_it_names_what_was_seen(self, asked: gate.Outcome, approver: Actor) -> None:
        with acting(approver), pytest.raises(DigestMoved):
            decisions.send_back(asked.ticket.pk, actor=approver, digest="0" * 64, reason=WHY)

    def test_what_is_decided_is_not_sent_back(
        self, asked: gate.Outcome, approver: Actor, second_approver: Actor
    ) -> None:
        agree(asked.ticket, approver)
        with pytest.raises(TicketNotPending):
            send_back(asked.ticket, second_approver)

    def test_what_waits_is_not_edited(self, asked: gate.Outcome, operator: Actor) -> None:
        with pytest.raises(TicketNotSentBack):
            again(asked.ticket, operator)

    def test_it_is_not_asked_for_again_without_a_reason_or_rows(
        self, asked: gate.Outcome, operator: Actor, approver: Actor
    ) -> None:
        send_back(asked.ticket, approver)
        with pytest.raises(ReasonMissing):
            again(asked.ticket, operator, reason="no")
        with pytest.raises(EmptySelection):
            again(asked.ticket, operator, selection={"keys": [999_999]})
        assert held(operator, asked.change).rows_total == asked.change.rows_total, "what was frozen stays until then"

    def test_its_rows_may_have_gone_into_another_ticket(
        self, asked: gate.Outcome, rows: list[Any], operator: Actor, engineer: Actor, approver: Actor
    ) -> None:
        send_back(asked.ticket, approver)
        other = ask(engineer, "shop.order", keys_of(rows[:11]))
        with pytest.raises(RowsInAnotherTicket, match=str(other.ticket)):
            again(asked.ticket, operator)

    def test_it_is_withdrawn_not_thrown_away(self, asked: gate.Outcome, operator: Actor, approver: Actor) -> None:
        send_back(asked.ticket, approver)
        with acting(operator):
            with pytest.raises(WrongState):
                execution.discard(asked.change.pk, actor=operator)
            tickets.withdraw(asked.ticket.pk, actor=operator)
        assert held(operator, asked.change).state == State.REFUSED


def test_it_expires_like_a_waiting_one(
    asked: gate.Outcome, operator: Actor, approver: Actor, real_db: RealDatabase
) -> None:
    send_back(asked.ticket, approver)
    with real_db.owner() as owner:
        owner.execute("SET custody.all_tenants = 'on'")
        owner.execute("UPDATE approvals_ticket SET expires_at = now() - interval '1 minute'")
    with pytest.raises(TicketNotPending):
        again(asked.ticket, operator)
    assert tickets.expire_due() == 1
    assert held(operator, asked.change).state == State.REFUSED


def test_fewer_rows_never_need_fewer_approvals(
    asked: gate.Outcome, rows: list[Any], operator: Actor, approver: Actor
) -> None:
    """One order alone would need nobody; in a ticket that was sent back it needs whom it needed."""
    send_back(asked.ticket, approver)
    outcome = again(asked.ticket, operator, selection=keys_of(rows[:1]))
    assert outcome.ticket is not None
    assert (outcome.ticket.required, outcome.change.state) == (1, State.WAITING)
    with acting(operator), pytest.raises(DatabaseError, match="while its ticket is pending"), transaction.atomic():
        Change.objects.filter(pk=outcome.change.pk).update(state="cleared")
    assert carry_out(outcome, operator, approver).applied == 1


def test_an_undo_is_sent_back_and_asked_for_again(rows: list[Any], operator: Actor, approver: Actor) -> None:
    done = carry_out(ask(operator, "shop.order", keys_of(rows)), operator, approver)
    with acting(operator):
        undo = gate.request_undo(done.pk, actor=operator, reason="it was the wrong buyer")
    send_back(undo.ticket, approver)
    outcome = again(undo.ticket, operator, reason="it was the wrong buyer, see the letter")
    assert carry_out(outcome, operator, approver).applied == 24
    with acting(operator):
        assert Order.objects.count() == 24


def test_window_and_trial_stay_unless_they_are_named(rows: list[Any], operator: Actor, approver: Actor) -> None:
    window = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "to": "23:59", "zone": "UTC"}
    asked = ask(operator, "shop.order", keys_of(rows[:12]), window=window)
    send_back(asked.ticket, approver)
    outcome = again(asked.ticket, operator, selection=keys_of(rows[:13]))
    assert outcome.change.options["window"] == asked.change.options["window"]
    send_back(outcome.ticket, approver)
    assert "window" not in again(asked.ticket, operator, window=None).change.options


def test_a_crash_while_freezing_anew_leaves_what_was_sent_back(
    asked: gate.Outcome, operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise SystemExit("power cut")

    send_back(asked.ticket, approver)
    with monkeypatch.context() as broken:
        broken.setattr(tickets, "ask_again", crash)
        with pytest.raises(SystemExit):
            again(asked.ticket, operator, title="other")
    left = held(operator, asked.change)
    assert (left.state, left.digest, left.title) == (State.DRAFT, asked.change.digest, asked.change.title)
    assert again(asked.ticket, operator).ticket is not None


class TestAtOnce:
    def test_a_vote_and_a_sending_back_one_counts(
        self, asked: gate.Outcome, operator: Actor, approver: Actor, second_approver: Actor
    ) -> None:
        ticket = asked.ticket
        assert ticket is not None
        results = at_once(
            as_actor(approver, decisions.vote, ticket.pk, actor=approver, decision="approve", digest=ticket.digest),
            as_actor(
                second_approver, decisions.send_back, ticket.pk, actor=second_approver, digest=ticket.digest, reason=WHY
            ),
        )
        assert refusals(results) == ["ticket_not_pending"]
        state = held(operator, asked.change).state
        with acting(operator):
            assert (Ticket.objects.get(pk=ticket.pk).state, state) in (("approved", "cleared"), ("sent_back", "draft"))

    def test_two_who_ask_again_open_one_round(
        self, asked: gate.Outcome, operator: Actor, engineer: Actor, approver: Actor
    ) -> None:
        send_back(asked.ticket, approver)
        results = at_once(
            *[
                as_actor(who, gate.ask_again, asked.ticket.pk, actor=who, reason=f"asked by {who.name}")
                for who in (operator, engineer)
            ]
        )
        assert len(refusals(results)) == 1
        with acting(operator):
            assert Ticket.objects.get(pk=asked.ticket.pk).round == 2


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE approvals_ticket SET state = 'pending', round = 2 WHERE id = {ticket}", "a new round begins"),
        ("UPDATE approvals_ticket SET state = 'approved' WHERE id = {ticket}", "cannot become approved"),
        ("UPDATE approvals_ticket SET digest = 'x' WHERE id = {ticket}", "not rewritten"),
        ("UPDATE approvals_ticket SET expires_at = now() + interval '9 days' WHERE id = {ticket}", "no later than"),
        ("UPDATE changes_change SET state = 'refused' WHERE id = {change}", "while its ticket is sent_back"),
        ("UPDATE changes_change SET entity = 'shop.customer' WHERE id = {change}", "same question"),
        ("UPDATE changes_change SET requester_person_id = 999 WHERE id = {change}", "same question"),
    ],
)
def test_what_was_sent_back_goes_no_other_way(
    asked: gate.Outcome, operator: Actor, approver: Actor, statement: str, words: str
) -> None:
    send_back(asked.ticket, approver)
    with (
        acting(operator),
        pytest.raises(DatabaseError, match=words),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement.format(ticket=asked.ticket.pk, change=asked.change.pk))


def test_a_waiting_change_is_no_draft_without_its_ticket(
    asked: gate.Outcome, operator: Actor, real_db: RealDatabase
) -> None:
    back = "UPDATE changes_change SET state = 'draft' WHERE id = %s"
    with acting(operator):
        waits = pytest.raises(DatabaseError, match="while its ticket is pending")
        with waits, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(back, [asked.change.pk])
        with real_db.owner() as owner:
            owner.execute("DROP TRIGGER custody_ticket ON changes_change")
        with connection.cursor() as cursor:
            cursor.execute(back, [asked.change.pk])


def test_rows_of_a_frozen_change_are_not_thawed(asked: gate.Outcome, operator: Actor) -> None:
    with acting(operator), pytest.raises(DatabaseError, match="is no draft"), connection.cursor() as cursor:
        cursor.execute("SELECT custody.thaw(%s)", [asked.change.pk])


def test_a_start_needs_the_new_round(asked: gate.Outcome, operator: Actor, approver: Actor) -> None:
    send_back(asked.ticket, approver)
    with pytest.raises(WrongState):
        start(asked.change, operator)
    agree(again(asked.ticket, operator).ticket, approver)
    start(asked.change, operator)
    assert work(asked.change).state == State.DONE
