"""SIGKILL at every SQL statement of a run: nothing is lost, doubled or half done, whoever continues.

The kill is real and in another process; statements are counted, so that each of them has its turn as more statements
appear. `CRASH_POINTS=all` takes every one of them, before it and after it; `CRASH_POINTS=5` every fifth; else a few are taken.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection

from approvals import gate
from audit import registry
from audit.models import Event
from audit.snapshots.taking import take
from changes.models import Change, Lane
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import BehaviourLog, Customer, Order, OrderItem, UserTag
from tests.changes.crashing_worker import DyingWorkers
from tests.changes.test_undo_events import by_owner
from tests.databases import RealDatabase
from tests.journey import REASON, SHOP, ask, checksum, keys_of, undo, work
from tests.personas import customer, log, order_with_items, tag

pytestmark = pytest.mark.embedded
MODELS = (Customer, Order, OrderItem, UserTag, BehaviourLog)
MOMENTS = ("before", "after")
# (database, actor) -> the change that a worker is to die in, from the same rows each time
Begin = Callable[[RealDatabase, Actor], Change]


@pytest.fixture
def again_and_again(real_db: RealDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of small changes of one person within minutes would need votes otherwise."""
    for entity in registry.entities():
        monkeypatch.setattr(entity, "governance", replace(entity.governance, window_rows=1_000_000))
    with real_db.owner() as owner:
        owner.execute("UPDATE audit_governedtable SET window_rows = 1000000")


def rows() -> None:
    """Two customers, one the other's, each with an order of two lines, a tag and a log."""
    above = customer(score=float("-0.0"), preferences={"n": 1.10})
    for buyer in (above, customer(referred_by=above)):
        order_with_items(2, customer_=buyer)
        tag(buyer), log(buyer)


def delete(database: RealDatabase, actor: Actor) -> Change:
    return ask(actor, "shop.customer", keys_of(Customer.objects.all()), cascade_also=["shop.order.customer"]).change


def undo_of_delete(database: RealDatabase, actor: Actor) -> Change:
    done = work(delete(database, actor))
    return gate.request_undo(done.pk, actor=actor, reason=REASON).change


def restore(database: RealDatabase, actor: Actor) -> Change:
    """Logs are of nobody here: a restore does not bring links back."""
    work(ask(actor, "shop.order", keys_of(Order.objects.all())).change)
    return ask(actor, "shop.order", keys_of(Order.deleted.all()), operation="restore").change


def undo_of_removal(database: RealDatabase, actor: Actor) -> Change:
    """Rows are added again, then linked to each other."""
    events = by_owner(database, actor, *[f"DELETE FROM {table}" for table in reversed(SHOP)])
    return gate.request_undo_of_events(events, actor=actor, reason=REASON).change


def rollback(database: RealDatabase, actor: Actor) -> Change:
    """To a snapshot, in one transaction: rows were written, deleted and removed since."""
    number = take(f"before {Change.objects.count()}", entities=MODELS, actor=actor).pk
    by_owner(
        database,
        actor,
        "UPDATE shop_customer SET notes = 'x', score = 0",
        "UPDATE shop_usertag SET is_deleted = true, deleted_at = now()",
        "DELETE FROM shop_orderitem",
        "DELETE FROM shop_behaviourlog",
    )
    outcome = gate.rollback_to_snapshot(number, actor=actor, reason=REASON)
    assert outcome is not None
    return outcome.change


BEGIN = [delete, undo_of_delete, restore, undo_of_removal, rollback]


def consistent(change: Change) -> None:
    """What must hold at any moment: history, events, cursors and counts tell the same story."""
    history = sum(model.history.filter(change_id=change.pk).count() for model in MODELS)
    events = Event.objects.filter(change_id=change.pk).exclude(operation=Event.Operation.ACT)
    lanes = list(Lane.objects.filter(change=change))
    assert history == sum(events.values_list("affected_rows", flat=True)) == sum(lane.applied for lane in lanes)
    with connection.cursor() as cursor:
        for lane in lanes:
            cursor.execute(
                "SELECT count(*) FROM changes_frozenrow WHERE change_id = %s AND part = %s AND position <= %s",
                [change.pk, lane.part, lane.cursor],
            )
            assert cursor.fetchone() == (lane.applied + lane.skipped,)


def forget_leases() -> None:
    """As if ten seconds had gone by."""
    Lane.objects.update(heartbeat_at="2020-01-01T00:00Z")


def points() -> Iterator[tuple[int, str]]:
    """Numbers of statements, and whether the kill is before or after it."""
    chosen = os.environ.get("CRASH_POINTS", "37")
    if chosen == "all":
        return ((number, moment) for number in itertools.count(1) for moment in MOMENTS)
    return zip(itertools.count(3, int(chosen)), itertools.cycle(MOMENTS), strict=False)


@pytest.mark.parametrize("begin", BEGIN, ids=lambda begin: begin.__name__)
def test_a_worker_killed_at_any_statement(
    real_db: RealDatabase,
    persona: Callable[..., Actor],
    workers: DyingWorkers,
    again_and_again: None,
    record_property: Any,
    begin: Begin,
) -> None:
    actor = persona("operator", "engineer", name="Olivia Park")
    with acting(actor):
        rows()
        before = checksum(*SHOP)
        for number, moment in points():
            change = begin(real_db, actor)
            killed = workers.crash(change.pk, number, moment)
            consistent(change)
            if begin is rollback:
                assert sum(lane.applied for lane in Lane.objects.filter(change=change)) in (0, change.rows_total)
            forget_leases()
            assert work(change).state == State.DONE
            consistent(change)
            assert (change.applied, change.skipped) == (change.rows_total, 0)
            assert (change.verification or {})["equal"]
            if begin is delete:
                assert not Customer.objects.exists()
                undo(change, actor)
            assert checksum(*SHOP) == before
            if not killed:
                break
    record_property("trials, kills", (workers.trials, workers.kills))
    assert workers.kills > 2


def test_a_killed_worker_repeats_at_most_one_chunk(
    real_db: RealDatabase, operator: Actor, workers: DyingWorkers, chunks_of_two: None
) -> None:
    with acting(operator):
        made = [order_with_items(0) for _ in range(8)]
        change = ask(operator, "shop.order", keys_of(made)).change
        workers.crash(change.pk, 45, "before")
        done_before = Order.deleted.count()
        forget_leases()
        chunks = Lane.objects.get(change=change).chunks
        assert done_before == chunks * 2 > 0
        assert work(change).applied == 8
        assert Lane.objects.get(change=change).chunks == 4
