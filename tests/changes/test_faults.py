"""A run meets locks, broken rows, lost records and failing lanes: it goes on, or it fails and says why."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from changes import chunks, execution, lanes, sweeping
from changes.errors import NotVerified
from changes.models import Change, Lane, SkippedRow
from changes.states import SkipReason, State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order, OrderItem
from tests.journey import ask, carry_out, keys_of, one_chunk, start, work
from tests.personas import item, order, order_with_items, orders

REFUSE_ROW = """
CREATE FUNCTION public.refuse_row() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN
  RAISE EXCEPTION 'this row is cursed' USING ERRCODE = '{code}';
END $f$;
CREATE TRIGGER cursed BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({when})
  EXECUTE FUNCTION public.refuse_row()
"""


def curse(real_db: Any, when: str, *, table: str = "shop_order", code: str = "P0001") -> None:
    with real_db.owner() as owner:
        owner.execute(REFUSE_ROW.format(when=when, table=table, code=code))


def lift(real_db: Any, table: str = "shop_order") -> None:
    with real_db.owner() as owner:
        owner.execute(f"DROP TRIGGER cursed ON {table}")


@pytest.mark.parametrize("code", ["P0001", "23514", "22003"])
def test_a_row_the_database_refuses_is_left_out_and_the_rest_is_done(
    real_db: Any, operator: Actor, approver: Actor, code: str
) -> None:
    with acting(operator):
        made = orders(25)
    curse(real_db, f"OLD.id = {made[13].pk}", code=code)
    done = carry_out(ask(operator, "shop.order", keys_of(made)), operator, approver)
    with acting(operator):
        assert (done.state, done.applied, done.skipped) == (State.DONE, 24, 1)
        left = SkippedRow.objects.get(change=done)
        assert (left.position, left.reason, left.detail) == (made[13].pk, SkipReason.ERROR, "this row is cursed")
        assert list(Order.objects.values_list("pk", flat=True)) == [made[13].pk]


def test_a_lock_that_does_not_come_fails_the_lane_and_a_person_continues(
    real_db: Any, operator: Actor, approver: Actor, settings: Any
) -> None:
    settings.CUSTODY_LOCK_PATIENCE = 0
    with acting(operator):
        made = orders(12)
    outcome = ask(operator, "shop.order", keys_of(made))
    with real_db.owner() as blocker:
        blocker.execute("BEGIN")
        blocker.execute("SET LOCAL custody.all_tenants = 'on'")
        blocker.execute("SELECT FROM shop_order WHERE id = %s FOR UPDATE", [made[5].pk])
        failed = carry_out(outcome, operator, approver)
        assert failed.state == State.FAILED
        assert "canceling statement due to" in failed.error
    start(failed, operator)
    assert work(failed).state == State.DONE
    assert (failed.applied, failed.skipped) == (12, 0)


def test_parents_stay_while_their_children_cannot_go(
    real_db: Any, operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "ATTEMPTS", 2)
    with acting(operator):
        made = [order_with_items(1) for _ in range(12)]
    curse(real_db, "true", table="shop_orderitem", code="53100")
    failed = carry_out(ask(operator, "shop.order", keys_of(made)), operator, approver)
    with acting(operator):
        assert failed.state == State.FAILED
        assert (Order.objects.count(), OrderItem.objects.count()) == (12, 12)
        assert {lane.state for lane in Lane.objects.filter(change=failed)} == {"failed", "open"}
    lift(real_db, "shop_orderitem")
    start(failed, operator)
    assert work(failed).state == State.DONE
    with acting(operator):
        assert (Order.objects.count(), OrderItem.objects.count()) == (0, 0)


def test_rows_the_record_did_not_see_are_taken_back(
    real_db: Any, operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "ATTEMPTS", 2)
    with acting(operator):
        made = orders(12)
    with real_db.owner() as owner:
        owner.execute("ALTER TABLE shop_order DISABLE TRIGGER custody_capture_update")
    failed = carry_out(ask(operator, "shop.order", keys_of(made)), operator, approver)
    assert failed.state == State.FAILED
    assert "recorded 0 rows where 12 were changed" in failed.error
    with acting(operator):
        assert Order.objects.count() == 12


def test_a_count_that_does_not_agree_with_the_record_fails_the_change(
    real_db: Any, operator: Actor, approver: Actor
) -> None:
    with acting(operator):
        made = orders(12)
    outcome = ask(operator, "shop.order", keys_of(made))
    with real_db.admin() as admin:
        admin.execute("SET session_replication_role = 'replica'")
        admin.execute("ALTER TABLE shop_historicalorder DISABLE TRIGGER custody_append_only")
        admin.execute(
            "CREATE FUNCTION public.lose() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS "
            "'BEGIN DELETE FROM public.shop_historicalorder WHERE id = NEW.hi; RETURN NEW; END'"
        )
        admin.execute("CREATE TRIGGER lose AFTER UPDATE OF cursor ON changes_lane FOR EACH ROW EXECUTE FUNCTION lose()")
    failed = carry_out(outcome, operator, approver)
    assert (failed.state, failed.error) == (State.FAILED, "verification")
    assert failed.verification is not None
    assert (failed.verification["applied"], failed.verification["history_rows"]) == (12, 11)
    assert not execution.can_start(failed)
    with pytest.raises(NotVerified):
        start(failed, operator)


class TestMessages:
    """A message has no authority: whatever arrives, the lanes decide."""

    @pytest.mark.django_db
    def test_a_message_for_a_change_that_does_not_run_does_nothing(self, operator: Actor) -> None:
        with acting(operator):
            made = orders(12)
            waiting = ask(operator, "shop.order", keys_of(made)).change
            work(waiting)
            assert waiting.state == State.WAITING
            assert Order.objects.count() == 12

    @pytest.mark.django_db
    def test_a_message_for_another_tenant_does_nothing(self, operator: Actor) -> None:
        with acting(operator):
            change = ask(operator, "shop.order", keys_of(orders(2))).change
        with acting(Actor.service("worker", tenant_id=2), channel="task"):
            assert execution.work(change.pk, worker="stranger") is False
        with acting(operator):
            assert Order.objects.count() == 2

    @pytest.mark.django_db
    def test_a_message_for_a_change_that_never_was_does_nothing(self, at_work: Actor) -> None:
        assert execution.work(10**12, worker="w") is False

    @pytest.mark.django_db
    def test_a_message_after_the_end_does_nothing_twice(self, at_work: Actor) -> None:
        done = work(ask(at_work, "shop.order", keys_of(orders(3))).change)
        work(done)
        assert (done.state, done.applied) == (State.DONE, 3)


class TestLeases:
    @pytest.fixture
    def running(self, at_work: Actor, chunks_of_two: None) -> Change:
        return ask(at_work, "shop.order", keys_of(orders(6))).change

    pytestmark = pytest.mark.django_db

    def test_a_lane_that_somebody_holds_is_not_claimed(self, running: Change) -> None:
        assert lanes.claim(running, "first") is not None
        assert lanes.claim(running, "second") is None

    def test_a_worker_without_a_lane_goes_away(self, running: Change) -> None:
        lanes.claim(running, "first")
        assert execution.work(running.pk, worker="second") is False
        assert sweeping.stalled() == []

    def test_a_lane_left_behind_is_taken_over_under_a_higher_fence(self, running: Change) -> None:
        first = lanes.claim(running, "dead")
        Lane.objects.update(heartbeat_at="2020-01-01T00:00Z")
        assert sweeping.stalled() == [running]
        second = lanes.claim(running, "alive")
        assert first is not None
        assert second is not None
        assert second.fence == first.fence + 1

    def test_the_worker_that_lost_its_lane_stops_without_a_trace(self, running: Change) -> None:
        first = lanes.claim(running, "slow")
        assert first is not None
        Lane.objects.update(heartbeat_at="2020-01-01T00:00Z")
        lanes.claim(running, "quick")
        with pytest.raises(chunks.LaneLost):
            chunks.advance(running, first)
        assert Order.objects.count() == 6

    def test_children_go_before_their_parents(self, at_work: Actor, chunks_of_two: None) -> None:
        made = order()
        for _ in range(5):
            item(made)
        change = ask(at_work, "shop.order", keys_of([made])).change
        assert lanes.claimable(change) == 1
        for left in (3, 1, 0):
            one_chunk(change)
            assert (OrderItem.objects.count(), Order.objects.count()) == (left, 1)
        one_chunk(change)
        one_chunk(change)
        assert Order.objects.count() == 0

    def test_cursor_counts_and_chunks_are_kept_together(self, running: Change) -> None:
        one_chunk(running)
        lane = Lane.objects.get(change=running)
        assert (lane.applied, lane.skipped, lane.chunks, lane.worker) == (2, 0, 1, "")
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM shop_order WHERE is_deleted AND id <= %s", [lane.cursor])
            assert cursor.fetchone() == (2,)


def test_a_broker_that_does_not_answer_changes_nothing(
    real_db: Any, operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from console.celery import app

    monkeypatch.setitem(app.conf, "broker_url", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(app, "_pool", None)
    monkeypatch.setattr(app.amqp, "_producer_pool", None)
    with acting(operator):
        change = ask(operator, "shop.order", keys_of(orders(2))).change
        assert change.state == State.RUNNING
    assert sweeping.run_pending(worker="clerk") == 1
    with acting(operator):
        assert Order.objects.count() == 0
