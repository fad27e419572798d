"""A retry is a change of its own over exactly the rows that the first one left alone."""

from __future__ import annotations

from typing import Any

import pytest

from access.errors import NotAllowed
from approvals import gate
from changes.errors import NothingToRetry, RetryExists, UnknownReason, WrongState
from changes.models import Change, FrozenRow
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order, OrderItem
from tests.changes.crashing_worker import DyingWorkers
from tests.changes.test_crash import forget_leases
from tests.changes.test_faults import curse, lift
from tests.changes.test_races import as_actor, at_once, refusals
from tests.journey import REASON, ask, carry_out, keys_of, undo, work
from tests.personas import order_with_items, orders

TRIALS = 5


def retry(change: Change, actor: Actor, *reasons: str, **more: Any) -> gate.Outcome:
    with acting(actor):
        return gate.request_retry(change.pk, actor=actor, reason=REASON, reasons=reasons, **more)


@pytest.fixture
def rows(real_db: Any, operator: Actor) -> list[Any]:
    with acting(operator):
        return list(orders(12))


@pytest.fixture
def first(real_db: Any, rows: list[Any], operator: Actor, approver: Actor) -> Change:
    """Twelve orders asked for; the database refused two of them."""
    keys = (rows[3].pk, rows[9].pk)
    curse(real_db, f"OLD.id IN {keys}")
    return carry_out(ask(operator, "shop.order", keys_of(rows)), operator, approver)


def test_the_rows_that_failed_are_done_and_linked_to_the_first(
    real_db: Any, first: Change, rows: list[Any], operator: Actor
) -> None:
    lift(real_db)
    outcome = retry(first, operator)
    with acting(operator):
        frozen = FrozenRow.objects.filter(change_id=outcome.change.pk).values_list("position", flat=True)
        assert sorted(frozen) == [rows[3].pk, rows[9].pk]
    done = work(outcome.change)
    with acting(operator):
        assert (done.state, done.applied, done.retry_of_id, done.options["retry_of"]) == (
            State.DONE,
            2,
            first.pk,
            first.pk,
        )
        assert Order.objects.count() == 0
    assert undo(done, operator).applied == 2


def test_a_row_that_fails_again_can_be_tried_once_more(first: Change, operator: Actor) -> None:
    again = work(retry(first, operator).change)
    assert (again.applied, again.skipped) == (0, 2)
    assert retry(again, operator).change.retry_of_id == again.pk


def test_dependants_that_failed_go_along(real_db: Any, operator: Actor, approver: Actor) -> None:
    with acting(operator):
        made = order_with_items(3)
        bad = OrderItem.objects.order_by("pk")[1]
    curse(real_db, f"OLD.id = {bad.pk}", table="shop_orderitem")
    first = carry_out(ask(operator, "shop.order", keys_of([made])), operator, approver)
    lift(real_db, "shop_orderitem")
    done = work(retry(first, operator).change)
    with acting(operator):
        assert (done.applied, OrderItem.objects.count()) == (1, 0)


def test_rows_that_changed_are_tried_as_they_are_now(
    real_db: Any, rows: list[Any], operator: Actor, approver: Actor
) -> None:
    outcome = ask(operator, "shop.order", keys_of(rows))
    with acting(operator):
        Order.objects.filter(pk=rows[0].pk).update(note="looked at")
    first = carry_out(outcome, operator, approver)
    with pytest.raises(NothingToRetry):
        retry(first, operator)
    assert work(retry(first, operator, "changed_since").change).applied == 1


def test_an_undo_is_tried_again(real_db: Any, rows: list[Any], operator: Actor, approver: Actor) -> None:
    done = carry_out(ask(operator, "shop.order", keys_of(rows)), operator, approver)
    curse(real_db, f"OLD.id = {rows[4].pk}")
    back = undo(done, operator, approver)
    assert (back.applied, back.skipped) == (11, 1)
    lift(real_db)
    again = work(retry(back, operator).change)
    with acting(operator):
        assert (again.state, again.applied, Order.objects.count()) == (State.DONE, 1, 12)


def test_what_nobody_knows_as_a_reason_is_refused(first: Change, operator: Actor) -> None:
    with pytest.raises(UnknownReason):
        retry(first, operator, "bad luck")


def test_what_still_runs_is_not_tried_again(rows: list[Any], operator: Actor) -> None:
    with pytest.raises(WrongState):
        retry(ask(operator, "shop.order", keys_of(rows)).change, operator)


def test_only_who_may_ask_may_ask_again(first: Change, auditor: Actor) -> None:
    with pytest.raises(NotAllowed):
        retry(first, auditor)


def test_over_the_threshold_it_waits_for_approval(
    real_db: Any, rows: list[Any], operator: Actor, approver: Actor
) -> None:
    curse(real_db, "true")
    first = carry_out(ask(operator, "shop.order", keys_of(rows)), operator, approver)
    assert (first.applied, first.skipped) == (0, 12)
    outcome = retry(first, operator)
    assert outcome.ticket is not None
    assert outcome.change.state == State.WAITING


def test_two_retries_at_once_are_one(real_db: Any, rows: list[Any], operator: Actor, approver: Actor) -> None:
    curse(real_db, "true")
    first = carry_out(ask(operator, "shop.order", keys_of(rows)), operator, approver)
    again = as_actor(operator, gate.request_retry, first.pk, actor=operator, reason=REASON)
    assert refusals(at_once(again, again, again)) == ["retry_exists", "retry_exists"]
    with pytest.raises(RetryExists):
        retry(first, operator)


@pytest.mark.embedded
def test_a_worker_killed_in_a_retry_leaves_nothing_half_done(
    real_db: Any, workers: DyingWorkers, first: Change, operator: Actor
) -> None:
    lift(real_db)
    change = retry(first, operator).change
    workers.crash(change.pk, 17, "after")
    with acting(operator):
        forget_leases()
    assert work(change).applied == 2
