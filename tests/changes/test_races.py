"""Two at once, for real: threads with connections of their own, let go together, many times over."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from approvals import decisions, gate, tickets
from approvals.models import Ticket, Vote
from changes import drafts, execution
from changes.models import Change, Lane
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from foundation.errors import CustodyError
from shop.models import Order
from tests.journey import REASON, agree, ask, keys_of, undo, work
from tests.personas import orders, tags

TRIALS = 20


def at_once(*deeds: Callable[[], Any]) -> list[Any]:
    """Do all of them at the same moment; each one's result, or the error it was refused with."""
    gate_ = threading.Barrier(len(deeds))

    def one(deed: Callable[[], Any]) -> Any:
        gate_.wait()
        try:
            return deed()
        except CustodyError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(one, deeds))


def refusals(results: list[Any]) -> list[str]:
    return sorted(result.code for result in results if isinstance(result, CustodyError))


def as_actor(who: Actor, deed: Callable[..., Any], /, *values: Any, **named: Any) -> Callable[[], Any]:
    def run() -> Any:
        with acting(who):
            return deed(*values, **named)

    return run


def vote(ticket: Ticket, actor: Actor, decision: str = "approve") -> Callable[[], Any]:
    return as_actor(
        actor, decisions.vote, ticket.pk, actor=actor, decision=decision, digest=ticket.digest, reason="looked at it"
    )


def fresh(operator: Actor, rows: Any) -> Any:
    return ask(operator, "shop.order", keys_of(rows))


def free(outcome: Any, operator: Actor) -> None:
    """End what is open, so that the same rows can be asked for again."""
    with acting(operator):
        change = Change.objects.get(pk=outcome.change.pk)
        if change.state == State.WAITING:
            tickets.withdraw(Ticket.objects.get(change_id=change.pk).pk, actor=operator)
        elif change.state == State.CLEARED:
            execution.discard(change.pk, actor=operator)


@pytest.fixture
def rows(real_db: Any, operator: Actor) -> list[Any]:
    with acting(operator):
        return list(orders(11))


def ticket_of(outcome: Any, operator: Actor) -> Ticket:
    with acting(operator):
        return Ticket.objects.select_related("change").get(pk=outcome.ticket.pk)


def test_a_double_click_is_one_vote(real_db: Any, operator: Actor, approver: Actor) -> None:
    with acting(operator):
        made = tags(10_001)
        keys = keys_of(made)
    for _ in range(TRIALS // 4):
        outcome = ask(operator, "shop.usertag", keys)
        results = at_once(vote(outcome.ticket, approver), vote(outcome.ticket, approver))
        assert refusals(results) == ["already_voted"]
        with acting(operator):
            assert Vote.objects.filter(ticket=outcome.ticket.pk).count() == 1
        assert ticket_of(outcome, operator).state == "pending"
        free(outcome, operator)


def test_two_persons_at_once_are_two_votes(
    real_db: Any, operator: Actor, approver: Actor, second_approver: Actor
) -> None:
    with acting(operator):
        keys = keys_of(tags(10_001))
    for _ in range(TRIALS // 4):
        outcome = ask(operator, "shop.usertag", keys)
        assert refusals(at_once(vote(outcome.ticket, approver), vote(outcome.ticket, second_approver))) == []
        now = ticket_of(outcome, operator)
        assert (now.state, now.change.state) == ("approved", "cleared")
        free(outcome, operator)


def test_agreeing_and_taking_back_at_once_has_one_winner(rows: Any, operator: Actor, approver: Actor) -> None:
    seen: Counter[str] = Counter()
    for _ in range(TRIALS):
        outcome = fresh(operator, rows)
        results = at_once(
            vote(outcome.ticket, approver), as_actor(operator, tickets.withdraw, outcome.ticket.pk, actor=operator)
        )
        assert refusals(results) == ["ticket_not_pending"]
        now = ticket_of(outcome, operator)
        assert (now.state, now.change.state) in {("approved", "cleared"), ("withdrawn", "refused")}
        seen[now.state] += 1
        free(outcome, operator)
    assert sum(seen.values()) == TRIALS


def test_agreeing_and_refusing_at_once_has_one_winner(
    rows: Any, operator: Actor, approver: Actor, second_approver: Actor
) -> None:
    for _ in range(TRIALS):
        outcome = fresh(operator, rows)
        results = at_once(vote(outcome.ticket, approver), vote(outcome.ticket, second_approver, "reject"))
        assert refusals(results) == ["ticket_not_pending"]
        now = ticket_of(outcome, operator)
        assert (now.state, now.change.state) in {("approved", "cleared"), ("rejected", "refused")}
        free(outcome, operator)


def test_agreeing_and_expiring_at_once_has_one_winner(
    real_db: Any, rows: Any, operator: Actor, approver: Actor
) -> None:
    for trial in range(TRIALS):
        outcome = fresh(operator, rows)
        with real_db.owner() as owner:
            owner.execute("SET custody.all_tenants = 'on'")
            owner.execute(
                "UPDATE approvals_ticket SET expires_at = clock_timestamp() + make_interval(secs => %s) WHERE id = %s",
                [0.004 * (trial % 6), outcome.ticket.pk],
            )
        at_once(vote(outcome.ticket, approver), tickets.expire_due, tickets.expire_due)
        tickets.expire_due()
        now = ticket_of(outcome, operator)
        assert (now.state, now.change.state) in {("approved", "cleared"), ("expired", "refused")}
        free(outcome, operator)


def test_a_change_is_started_once(real_db: Any, operator: Actor, approver: Actor, engineer: Actor) -> None:
    for _ in range(TRIALS):
        with acting(operator):
            rows = orders(11)
        outcome = fresh(operator, rows)
        agree(outcome.ticket, approver)
        results = at_once(
            as_actor(operator, execution.start, outcome.change.pk, actor=operator),
            as_actor(engineer, execution.start, outcome.change.pk, actor=engineer),
        )
        assert refusals(results) == ["wrong_state"]
        with acting(operator):
            assert Lane.objects.filter(change=outcome.change).count() == 1


def test_two_workers_do_each_row_once(rows: Any, operator: Actor, approver: Actor, chunks_of_two: None) -> None:
    for _ in range(TRIALS // 4):
        outcome = fresh(operator, rows)
        agree(outcome.ticket, approver)
        with acting(operator):
            execution.start(outcome.change.pk, actor=operator)
        worker = Actor.service("worker", tenant_id=1)
        at_once(*(as_actor(worker, execution.work, outcome.change.pk, worker=f"w{n}") for n in range(3)))
        done = work(outcome.change)
        assert (done.state, done.applied, done.skipped) == (State.DONE, 11, 0)
        with acting(operator):
            assert Order.history.filter(change_id=done.pk).count() == 11
        undo(done, operator, approver)


def test_stopping_and_ending_at_once_agree_on_the_end(
    rows: Any, operator: Actor, approver: Actor, chunks_of_two: None
) -> None:
    for _ in range(TRIALS // 4):
        outcome = fresh(operator, rows)
        agree(outcome.ticket, approver)
        with acting(operator):
            execution.start(outcome.change.pk, actor=operator)
        worker = Actor.service("worker", tenant_id=1)
        at_once(
            as_actor(worker, execution.work, outcome.change.pk, worker="w"),
            as_actor(operator, execution.cancel, outcome.change.pk, actor=operator),
        )
        ended = work(outcome.change)
        with acting(operator):
            gone = Order.deleted.count()
        assert ended.state in (State.DONE, State.CANCELLED)
        assert ended.applied == gone
        assert (ended.state == State.DONE) is (gone == 11)
        if gone:
            undo(ended, operator, approver)


def test_one_key_many_times_at_once_is_one_change(rows: Any, operator: Actor) -> None:
    for _ in range(TRIALS // 4):
        key = uuid.uuid4()
        asked = {"entity": "shop.order", "operation": "delete", "selection": keys_of(rows), "reason": REASON}
        results = at_once(*[as_actor(operator, gate.request, operator, request_key=key, **asked)] * 4)
        assert len({result.change.pk for result in results}) == 1
        with acting(operator):
            assert Change.objects.filter(request_key=key).count() == 1
        free(results[0], operator)


def test_a_draft_sent_twice_at_once_is_one_change(rows: Any, operator: Actor) -> None:
    for _ in range(TRIALS // 4):
        with acting(operator):
            draft = drafts.save(operator, entity="shop.order", operation="delete", selection=keys_of(rows))
        asked = {"entity": "shop.order", "operation": "delete", "selection": draft.selection, "reason": REASON}
        results = at_once(*[as_actor(operator, gate.request, operator, draft_id=draft.pk, **asked)] * 2)
        assert refusals(results) == ["wrong_state"]
        free(next(result for result in results if isinstance(result, gate.Outcome)), operator)


def test_two_undos_at_once_are_one(rows: Any, operator: Actor, approver: Actor) -> None:
    for _ in range(TRIALS // 4):
        with acting(operator):
            made = orders(2)
        done = work(ask(operator, "shop.order", keys_of(made)).change)
        undo_it = as_actor(operator, gate.request_undo, done.pk, actor=operator, reason=REASON)
        results = at_once(undo_it, undo_it)
        assert refusals(results) == ["undo_exists"]
