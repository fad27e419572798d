"""A run goes chunk by chunk, can be stopped and gone on with, and touches nothing but what was frozen."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection

from approvals import gate
from audit.models import Event
from changes import drift, execution, pacing
from changes.errors import NewDependants, SchemaMoved
from changes.models import Change, Lane, SkippedRow
from changes.progress import progress
from changes.states import State
from changes.tables import BY_KEY, table_of
from foundation.actor import Actor
from foundation.context import acting
from shop.models import BehaviourLog, Order
from tests.journey import REASON, agree, ask, carry_out, checksum, keys_of, one_chunk, start, undo, work
from tests.personas import customer, item, logs, order_with_items, orders, tag

BY_CUSTOMER = {"field": "total", "op": "lt", "value": 100}


@pytest.mark.django_db
class TestChunks:
    @pytest.fixture
    def running(self, at_work: Actor, chunks_of_two: None) -> Change:
        return ask(at_work, "shop.order", keys_of(orders(7))).change

    def test_each_chunk_is_one_event_with_its_rows(self, running: Change) -> None:
        done = work(running)
        events = Event.objects.filter(change_id=done.pk, operation="~").order_by("id")
        assert [e.affected_rows for e in events] == [2, 2, 2, 1]
        assert Order.history.filter(change_id=done.pk).count() == 7
        assert done.verification == {
            "applied": 7,
            "history_rows": 7,
            "event_rows": 7,
            "tables": {"shop.order": 7},
            "equal": True,
        }

    def test_the_record_names_who_asked_and_why(self, running: Change, at_work: Actor) -> None:
        done = work(running)
        event = Event.objects.filter(change_id=done.pk, operation="~").first()
        assert event is not None
        assert (event.operator_name, event.action, event.reason) == (at_work.name, "delete", done.reason)

    def test_progress_counts_what_is_done(self, running: Change) -> None:
        seen = []
        for _ in range(3):
            one_chunk(running)
            now = progress(running)
            seen.append((now.done, now.percent, now.chunks))
        assert seen == [(2, 28, 1), (4, 57, 2), (6, 85, 3)]
        assert progress(work(running)).percent == 100

    def test_stopping_ends_after_the_chunk_and_keeps_what_is_done(self, running: Change, at_work: Actor) -> None:
        one_chunk(running)
        execution.cancel(running.pk, actor=at_work)
        stopped = work(running)
        assert (stopped.state, stopped.applied, Order.objects.count()) == (State.CANCELLED, 2, 5)

    def test_stopping_after_the_last_row_is_too_late(self, running: Change, at_work: Actor) -> None:
        for _ in range(5):
            one_chunk(running)
        execution.cancel(running.pk, actor=at_work)
        assert work(running).state == State.DONE

    def test_what_a_stopped_change_did_can_be_undone(self, running: Change, at_work: Actor) -> None:
        one_chunk(running)
        execution.cancel(running.pk, actor=at_work)
        back = undo(work(running), at_work)
        assert (back.state, back.applied, Order.objects.count()) == (State.DONE, 2, 7)

    def test_a_large_part_is_cut_into_lanes_without_a_gap(
        self, at_work: Actor, monkeypatch: pytest.MonkeyPatch, chunks_of_two: None
    ) -> None:
        from changes import lanes

        monkeypatch.setattr(lanes, "SPLIT_ROWS", 4)
        change = ask(at_work, "shop.order", keys_of(orders(9))).change
        first, second = Lane.objects.filter(change=change).order_by("lo")
        assert first.hi == second.lo
        assert first.rows + second.rows == 9
        assert work(change).applied == 9


class TestDrift:
    """Committed for real: a row's token only moves from one transaction to the next."""

    @pytest.fixture
    def asked(self, real_db: Any, operator: Actor) -> Any:
        with acting(operator):
            self.rows = orders(12)
        return ask(operator, "shop.order", keys_of(self.rows))

    def test_rows_that_changed_or_left_are_left_alone_and_reported(
        self, real_db: Any, asked: Any, operator: Actor, approver: Actor
    ) -> None:
        with acting(operator):
            Order.objects.filter(pk=self.rows[0].pk).update(note="edited")
            for note in ("once", ""):
                Order.objects.filter(pk=self.rows[1].pk).update(note=note)
            Order.objects.filter(pk=self.rows[2].pk).update(note="")
        with real_db.owner() as owner:
            owner.execute("SET custody.all_tenants = 'on'")
            owner.execute("DELETE FROM shop_order WHERE id = %s", [self.rows[3].pk])
            owner.execute(
                "WITH gone AS (DELETE FROM shop_order WHERE id = %s RETURNING *) INSERT INTO shop_order "
                "SELECT * FROM gone",
                [self.rows[4].pk],
            )
        with acting(operator):
            found = drift.measure(asked.change)
        assert (found.changed, found.gone, found.recreated) == (3, 1, 1)
        done = carry_out(asked, operator, approver)
        assert (done.state, done.applied, done.skipped) == (State.DONE, 7, 5)
        with acting(operator):
            listed = dict(SkippedRow.objects.filter(change=done).values_list("position", "reason"))
            moved, gone, again = "changed_since", "gone", "recreated"
            assert listed == dict(zip([r.pk for r in self.rows[:5]], [moved, moved, moved, gone, again], strict=True))
            left = Order.objects.filter(pk__in=[r.pk for r in self.rows]).count()
            assert left == 4

    def test_a_row_that_changes_between_two_chunks_is_left_alone(
        self, asked: Any, operator: Actor, approver: Actor, chunks_of_two: None
    ) -> None:
        agree(asked.ticket, approver)
        start(asked.change, operator)
        one_chunk(asked.change)
        with acting(operator):
            Order.objects.filter(pk=self.rows[8].pk).update(note="still needed")
        assert (work(asked.change).applied, asked.change.skipped) == (11, 1)

    def test_new_rows_never_join(self, real_db: Any, operator: Actor, approver: Actor) -> None:
        with acting(operator):
            orders(12)
        asked = ask(operator, "shop.order", {"where": [BY_CUSTOMER]})
        with acting(operator):
            late = orders(3)
        assert carry_out(asked, operator, approver).applied == 12
        with acting(operator):
            assert set(Order.objects.values_list("pk", flat=True)) == {row.pk for row in late}

    def test_other_rows_stay_bit_by_bit(self, real_db: Any, operator: Actor, approver: Actor) -> None:
        with acting(operator):
            others = ("shop_customer", "shop_usertag", "shop_orderitem")
            tag()
            order_with_items(2)
            before = checksum(*others)
            made = orders(12)
        carry_out(ask(operator, "shop.order", keys_of(made)), operator, approver)
        with acting(operator):
            after = checksum(*others)
        assert {t: after[t] for t in others[1:]} == {t: before[t] for t in others[1:]}

    def test_new_dependants_refuse_the_start(self, real_db: Any, asked: Any, operator: Actor, approver: Actor) -> None:
        agree(asked.ticket, approver)
        with acting(operator):
            item(self.rows[0])
        with pytest.raises(NewDependants) as refused:
            start(asked.change, operator)
        assert refused.value.facts == {"entity": "shop.orderitem", "rows": 1}
        with acting(operator):
            asked.change.refresh_from_db()
            assert (asked.change.state, Order.objects.count()) == (State.CLEARED, 12)

    def test_a_new_row_that_would_protect_refuses_the_start(
        self, real_db: Any, operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with acting(operator):
            buyers = [customer() for _ in range(501)]
        asked = ask(operator, "shop.customer", keys_of(buyers))
        with acting(operator):
            orders(1, customer=buyers[7])
        agree(asked.ticket, approver)
        with pytest.raises(NewDependants):
            start(asked.change, operator)

    def test_a_table_that_changed_its_columns_refuses_the_start(
        self, real_db: Any, asked: Any, operator: Actor, approver: Actor
    ) -> None:
        agree(asked.ticket, approver)
        with real_db.owner() as owner:
            owner.execute("ALTER TABLE shop_order ADD COLUMN extra integer")
        with pytest.raises(SchemaMoved):
            start(asked.change, operator)


@pytest.mark.django_db
def test_nothing_is_left_of_a_change_in_the_settings_of_the_session(at_work: Actor) -> None:
    work(ask(at_work, "shop.order", keys_of(orders(2))).change)
    Order.objects.all().update(note="x")
    orders(1)
    assert not Event.objects.filter(operation="+", change_id__isnull=False).exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('custody.context', true)::jsonb ? 'change'")
        assert cursor.fetchone() == (False,)


class TestJoins:
    """A chunk's statements stay linear in its rows, whatever the planner believes about fresh tables."""

    def plans(self, change: Change) -> list[str]:
        """How the statements over frozen rows are planned while the change is worked off."""
        found: list[str] = []

        def explain(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
            if "changes_frozenrow r" in sql and ("UPDATE" in sql) and not sql.startswith("EXPLAIN"):
                with connection.cursor() as cursor:
                    cursor.execute(f"EXPLAIN {sql}", params)
                    found.append("\n".join(line for (line,) in cursor.fetchall()))
            return execute(sql, params, many, context)

        with connection.execute_wrapper(explain):
            work(change)
        return found

    @pytest.mark.django_db
    def test_rows_that_nobody_counted_yet_are_not_looped_over(
        self, at_work: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pacing, "FIRST_ROWS", 4000)
        change = ask(at_work, "shop.behaviourlog", keys_of(logs(4000))).change
        there = self.plans(change)
        back = gate.request_undo(change.pk, actor=at_work, reason=REASON).change
        back_again = self.plans(back)
        assert there
        assert back_again
        assert back.applied == 4000
        for plan in there + back_again:
            assert not re.search(r"Join Filter:.*position", plan), plan

    def test_few_rows_far_apart_are_found_one_by_one(self) -> None:
        table = table_of(BehaviourLog)
        assert table.way(0, 1000, 500).bounds != "true"
        assert table.way(0, 100_000, 500) is BY_KEY
