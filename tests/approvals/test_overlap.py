"""Two open tickets never hold the same row, whatever asked for them and however close together."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from approvals import gate, overlap, tickets
from approvals.errors import RowsInAnotherTicket
from approvals.models import Ticket
from changes.models import Change
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.changes.test_races import as_actor, at_once, refusals
from tests.databases import RealDatabase
from tests.journey import REASON, agree, ask, carry_out, keys_of, start, work
from tests.personas import orders

TRIALS = 10


@pytest.fixture
def rows(real_db: RealDatabase, operator: Actor) -> list[Any]:
    with acting(operator):
        return list(orders(24))


def test_a_second_ticket_on_one_of_the_rows_is_refused_and_names_the_first(
    rows: list[Any], operator: Actor, engineer: Actor
) -> None:
    first = ask(operator, "shop.order", keys_of(rows[:12]))
    with pytest.raises(RowsInAnotherTicket) as refused:
        ask(engineer, "shop.order", keys_of(rows[11:]))
    assert refused.value.facts == {"other": str(first.ticket), "entity": "orders", "key": str(rows[11].pk)}
    assert f"{first.ticket} is open and holds rows of orders" in str(refused.value)
    with acting(operator):
        assert Change.objects.count() == Ticket.objects.count() == 1, "nothing of the second is left"


def test_rows_that_no_open_ticket_holds_are_free(rows: list[Any], operator: Actor) -> None:
    ask(operator, "shop.order", keys_of(rows[:12]))
    assert ask(operator, "shop.order", keys_of(rows[12:])).ticket is not None


def test_rows_between_those_of_another_are_free(rows: list[Any], operator: Actor) -> None:
    ask(operator, "shop.order", keys_of(rows[::2]))
    assert ask(operator, "shop.order", keys_of(rows[1::2])).ticket is not None


def test_what_goes_along_counts(rows: list[Any], operator: Actor) -> None:
    with acting(operator):
        buyers = {row.customer_id for row in rows}
    ask(operator, "shop.order", keys_of(rows[:12]))
    with pytest.raises(RowsInAnotherTicket):
        ask(operator, "shop.customer", {"keys": sorted(buyers)}, cascade_also=["shop.order.customer"])


def test_an_approved_ticket_holds_its_rows_until_its_change_has_ended(
    rows: list[Any], operator: Actor, approver: Actor
) -> None:
    first = ask(operator, "shop.order", keys_of(rows[:12]))
    agree(first.ticket, approver)
    with pytest.raises(RowsInAnotherTicket):
        ask(operator, "shop.order", keys_of(rows))
    start(first.change, operator)
    with pytest.raises(RowsInAnotherTicket):
        ask(operator, "shop.order", keys_of(rows))
    work(first.change)
    assert ask(operator, "shop.order", keys_of(rows)).change.rows_selected == 12


def test_a_refused_ticket_holds_nothing(rows: list[Any], operator: Actor) -> None:
    first = ask(operator, "shop.order", keys_of(rows))
    with acting(operator):
        tickets.withdraw(first.ticket.pk, actor=operator)
    assert ask(operator, "shop.order", keys_of(rows)).ticket is not None


def test_an_undo_is_refused_while_another_ticket_holds_its_rows(
    rows: list[Any], operator: Actor, engineer: Actor, approver: Actor
) -> None:
    done = carry_out(ask(operator, "shop.order", keys_of(rows)), operator, approver)
    back = ask(engineer, "shop.order", keys_of(rows[:11]), operation="restore")
    with acting(operator), pytest.raises(RowsInAnotherTicket, match=str(back.ticket)):
        gate.request_undo(done.pk, actor=operator, reason=REASON)
    with acting(engineer):
        tickets.withdraw(back.ticket.pk, actor=engineer)
    with acting(operator):
        assert gate.request_undo(done.pk, actor=operator, reason=REASON).ticket is not None


def test_of_two_at_once_one_gets_the_rows(real_db: RealDatabase, operator: Actor, engineer: Actor) -> None:
    for trial in range(TRIALS):
        with acting(operator):
            made = orders(21)
        wanted = (keys_of(made[:11]), keys_of(made[10:]))
        if trial % 2:
            wanted = (wanted[1], wanted[0])
        results = at_once(as_actor(operator, _ask, operator, wanted[0]), as_actor(engineer, _ask, engineer, wanted[1]))
        assert refusals(results) == ["rows_in_another_ticket"]
        with acting(operator):
            assert Ticket.objects.count() == trial + 1


def test_two_at_once_on_rows_of_their_own_both_pass(real_db: RealDatabase, operator: Actor, engineer: Actor) -> None:
    """The one that came late freezes anew; nobody is sent away for it."""
    for _ in range(TRIALS // 2):
        with acting(operator):
            made = orders(22)
        results = at_once(
            as_actor(operator, _ask, operator, keys_of(made[:11])),
            as_actor(engineer, _ask, engineer, keys_of(made[11:])),
        )
        assert refusals(results) == []


def _ask(actor: Actor, selection: dict[str, Any]) -> Any:
    return gate.request(actor, entity="shop.order", operation="delete", selection=selection, reason=REASON)


def test_inside_a_larger_transaction_the_sentence_is_the_same(rows: list[Any], operator: Actor) -> None:
    ask(operator, "shop.order", keys_of(rows[:12]))
    with acting(operator), transaction.atomic(), pytest.raises(RowsInAnotherTicket):
        _ask(operator, keys_of(rows))
    with acting(operator):
        assert Order.objects.count() == 24


def test_without_the_trigger_both_would_open(rows: list[Any], operator: Actor, real_db: RealDatabase) -> None:
    """Sabotage: the guard is the database's."""
    with real_db.owner() as owner:
        owner.execute("DROP TRIGGER custody_rows_are_free ON approvals_ticket")
    ask(operator, "shop.order", keys_of(rows[:12]))
    assert ask(operator, "shop.order", keys_of(rows)).ticket is not None


def test_a_ticket_written_by_hand_is_refused_too(rows: list[Any], operator: Actor) -> None:
    first = ask(operator, "shop.order", keys_of(rows[:12]))
    with acting(operator):
        from changes import submission

        second = submission.submit(
            operator, entity="shop.order", operation="delete", selection=keys_of(rows), reason=REASON
        )
        with pytest.raises(IntegrityError) as refused, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO approvals_ticket (tenant_id, change_id, state, title, required, rule, digest, "
                "requester_person_id, requester_name, expires_at) "
                "VALUES (1, %s, 'pending', 'x', 1, '{}', %s, %s, 'x', now() + interval '1 day')",
                [second.pk, second.digest, operator.person_id],
            )
        sentence = overlap.refusal(refused.value)
        assert sentence is not None
        assert sentence.facts["other"] == str(first.ticket)
        assert Change.objects.get(pk=second.pk).state == State.FROZEN
