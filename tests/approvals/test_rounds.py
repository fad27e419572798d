"""A change whose rows have changed too much goes back to its voters: a new round, in which old votes count for nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from approvals import decisions, starting, tickets
from approvals.errors import BackToVoting
from approvals.models import Ticket, Vote
from audit.models import Event
from changes import execution
from changes.errors import TooMuchDrift, WrongState
from changes.models import Change
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.changes.test_races import as_actor, at_once, refusals
from tests.databases import RealDatabase
from tests.journey import agree, ask, keys_of, work
from tests.personas import orders

MANY = 11


@pytest.fixture
def cleared(real_db: RealDatabase, operator: Actor, approver: Actor) -> Change:
    """Twenty orders, approved; eleven have changed since."""
    with acting(operator):
        rows = orders(20)
    outcome = ask(operator, "shop.order", keys_of(rows))
    agree(outcome.ticket, approver)
    with acting(operator):
        for row in rows[:MANY]:
            Order.objects.filter(pk=row.pk).update(note="looked at")
    return outcome.change


def start(change: Change, actor: Actor) -> Change:
    with acting(actor):
        return starting.start(change.pk, actor=actor)


def back(cleared: Change, operator: Actor) -> Ticket:
    """The ticket after the start that was refused."""
    with pytest.raises(BackToVoting):
        start(cleared, operator)
    with acting(operator):
        return Ticket.objects.select_related("change").get(change_id=cleared.pk)


def test_the_change_waits_again_with_the_drift_kept_for_the_voters(cleared: Change, operator: Actor) -> None:
    ticket = back(cleared, operator)
    with acting(operator):
        assert (ticket.state, ticket.round, ticket.change.state) == ("pending", 2, State.WAITING)
        assert (ticket.change.drift["rows"], ticket.change.drift["changed"]) == (MANY, MANY)
        assert len(ticket.change.drift["sample"]) == MANY
        assert Event.objects.filter(change_id=cleared.pk, action="ticket.reopened").count() == 1
        assert Order.objects.count() == 20


def test_up_to_the_limit_it_starts(real_db: RealDatabase, operator: Actor, approver: Actor, settings: Any) -> None:
    settings.CUSTODY_DRIFT_ROWS = 2
    with acting(operator):
        rows = orders(12)
    outcome = ask(operator, "shop.order", keys_of(rows))
    agree(outcome.ticket, approver)
    with acting(operator):
        Order.objects.filter(pk__in=[rows[0].pk, rows[1].pk]).update(note="looked at")
    start(outcome.change, operator)
    done = work(outcome.change)
    assert (done.state, done.applied, done.drift["rows"]) == (State.DONE, 10, 2)


def test_the_votes_before_stay_and_count_for_nothing(cleared: Change, operator: Actor, approver: Actor) -> None:
    ticket = back(cleared, operator)
    with acting(operator):
        assert list(Vote.objects.filter(ticket=ticket.pk).values_list("round", flat=True)) == [1]
        with pytest.raises(DatabaseError, match="not been approved by enough"), transaction.atomic():
            Ticket.objects.filter(pk=ticket.pk).update(state="approved")
        with pytest.raises(DatabaseError, match="has not been approved by enough others"), transaction.atomic():
            Change.objects.filter(pk=cleared.pk).update(state="cleared")


def test_the_same_voter_decides_anew_and_the_drift_is_accepted(
    cleared: Change, operator: Actor, approver: Actor
) -> None:
    ticket = back(cleared, operator)
    agree(ticket, approver)
    start(cleared, operator)
    done = work(cleared)
    assert (done.state, done.applied, done.skipped, done.drift_accepted) == (State.DONE, 9, 11, MANY)


def test_more_drift_after_that_asks_once_more(cleared: Change, operator: Actor, approver: Actor, settings: Any) -> None:
    agree(back(cleared, operator), approver)
    settings.CUSTODY_DRIFT_ROWS = 3
    with acting(operator):
        later = Order.objects.exclude(note="looked at").values_list("pk", flat=True)[:4]
        Order.objects.filter(pk__in=list(later)).update(note="looked at too")
    assert back(cleared, operator).round == 3


def test_the_new_round_can_be_rejected_or_taken_back(cleared: Change, operator: Actor, approver: Actor) -> None:
    ticket = back(cleared, operator)
    with acting(operator):
        tickets.withdraw(ticket.pk, actor=operator)
        cleared.refresh_from_db()
        assert cleared.state == State.REFUSED


def test_a_change_without_a_ticket_is_refused_with_the_way_out(
    real_db: RealDatabase, operator: Actor, settings: Any
) -> None:
    from datetime import UTC, datetime, timedelta

    settings.CUSTODY_DRIFT_ROWS = 0
    opens = (datetime.now(UTC) + timedelta(milliseconds=1500)).isoformat()
    with acting(operator):
        rows = orders(3)
    change = ask(operator, "shop.order", keys_of(rows), window={"not_before": opens}).change
    with acting(operator):
        Order.objects.filter(pk=rows[0].pk).update(note="looked at")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_sleep(greatest(0, extract(epoch FROM %s::timestamptz - clock_timestamp())))", [opens]
            )
    with pytest.raises(TooMuchDrift, match="Call it off and ask again"):
        start(change, operator)
    with acting(operator):
        execution.discard(change.pk, actor=operator)


def test_two_starts_at_once_open_one_round(cleared: Change, operator: Actor, engineer: Actor) -> None:
    results = at_once(*[as_actor(who, starting.start, cleared.pk, actor=who) for who in (operator, engineer)])
    assert refusals(results) in (["back_to_voting", "wrong_state"], ["back_to_voting", "ticket_not_pending"])
    with acting(operator):
        assert Ticket.objects.get(change_id=cleared.pk).round == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE approvals_ticket SET round = 2 WHERE id = {ticket}",
        "UPDATE approvals_ticket SET round = 2, state = 'pending' WHERE id = {ticket}",  # the change is cleared
        "UPDATE approvals_ticket SET state = 'pending' WHERE id = {ticket}",
        "INSERT INTO approvals_vote (tenant_id, ticket_id, requester_person_id, person_id, user_id, name, decision, "
        "digest, reason, round) VALUES (1, {ticket}, {asked}, 999, 1, 'x', 'approve', '{digest}', '', 2)",
    ],
)
def test_the_database_keeps_rounds_too(cleared: Change, operator: Actor, statement: str) -> None:
    with acting(operator):
        ticket = Ticket.objects.get(change_id=cleared.pk)
        facts = {"ticket": ticket.pk, "asked": operator.person_id, "digest": ticket.digest}
        with pytest.raises(DatabaseError, match="custody:"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement.format(**facts))


def test_without_the_guard_an_old_vote_would_count(real_db: RealDatabase, cleared: Change, operator: Actor) -> None:
    """The sabotage of the above: with the guards of the version before, the first round's vote clears the change."""
    from pathlib import Path

    from audit.written import function_as_written

    ticket = back(cleared, operator)
    sql = Path(tickets.__file__).parent / "sql"
    with real_db.owner() as owner:
        owner.execute(function_as_written(sql / "guards_v2.sql", "ticket_step"))
        owner.execute(function_as_written(sql / "guards_v3.sql", "clearance"))
    with acting(operator):
        Ticket.objects.filter(pk=ticket.pk).update(state="approved")
        Change.objects.filter(pk=cleared.pk).update(state="cleared")
        cleared.refresh_from_db()
        assert cleared.state == State.CLEARED


def test_a_start_while_it_waits_again_is_a_wrong_state(cleared: Change, operator: Actor) -> None:
    back(cleared, operator)
    with pytest.raises(WrongState):
        start(cleared, operator)


def test_a_rejection_of_the_second_round_ends_it(cleared: Change, operator: Actor, approver: Actor) -> None:
    ticket = back(cleared, operator)
    with acting(approver):
        decisions.vote(ticket.pk, actor=approver, decision="reject", digest=ticket.digest, reason="too much moved")
        cleared.refresh_from_db()
        assert cleared.state == State.REFUSED
