"""Chunks follow how long they hold their locks, and the pace that people set while a change runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from access.errors import NotAllowed
from audit.models import Event
from changes import lanes, pacing
from changes.errors import BadPace, WrongState
from changes.models import Change, Lane
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from tests.changes.test_races import as_actor, at_once
from tests.journey import ask, keys_of, one_chunk, work
from tests.personas import orders


@pytest.mark.parametrize(
    ("limit", "rows", "held_s", "following"),
    [
        (1_000, 1_000, 0.001, 4_000),  # quick: four times as many at most
        (1_000, 1_000, 0.05, 1_600),
        (10_000, 10_000, 0.4, 2_000),  # too long: as many as fit
        (1_000, 1_000, 9.0, 100),  # one slow chunk says little about small ones
        (10_000, 12, 0.01, 10_000),  # the end of a range says nothing
        (1, 1, 0.001, 4),
    ],
)
def test_the_next_chunk_fits_the_time_locks_may_be_held(limit: int, rows: int, held_s: float, following: int) -> None:
    assert pacing.next_limit(limit, rows, held_s) == following


def test_at_a_given_rate_a_chunk_is_a_seconds_worth_of_one_worker() -> None:
    pace = pacing.Pace(rows_per_second=500, workers=2)
    assert (pace.cap, pace.rest_s(250)) == (250, 1.0)


def tune(change: Change, actor: Actor, rows: int | None = None, rate: int | None = None) -> Change:
    return pacing.tune(change.pk, actor=actor, chunk_rows=rows, rows_per_second=rate)


@pytest.mark.django_db
class TestTuned:
    @pytest.fixture
    def running(self, at_work: Actor, settings: Any) -> Change:
        settings.CUSTODY_CHUNK_ROWS = 2
        return ask(at_work, "shop.order", keys_of(orders(10))).change

    def test_the_next_chunk_has_the_new_size(self, running: Change, at_work: Actor) -> None:
        one_chunk(running)
        tune(running, at_work, rows=5)
        one_chunk(running)
        done = work(running)
        events = Event.objects.filter(change_id=running.pk, operation="~").order_by("id")
        assert [event.affected_rows for event in events] == [2, 5, 3]
        assert done.state == State.DONE

    def test_a_rate_lets_the_lane_rest_on_the_databases_clock(self, running: Change, at_work: Actor) -> None:
        tune(running, at_work, rate=2)
        one_chunk(running)
        lane = Lane.objects.get(change=running)
        assert (lane.applied, lane.not_before - lane.heartbeat_at) == (2, timedelta(seconds=1))
        Lane.objects.update(not_before=Now() + timedelta(hours=1))
        assert (lanes.claimable(running), work(running).state) == (0, State.RUNNING)

    def test_nothing_given_is_the_usual_pace(self, running: Change, at_work: Actor) -> None:
        tune(running, at_work, rows=1, rate=1)
        usual = tune(running, at_work)
        assert (usual.chunk_rows, usual.rows_per_second) == (None, None)

    def test_the_record_keeps_who_changed_what(self, running: Change, at_work: Actor) -> None:
        tune(running, at_work, rows=7)
        event = Event.objects.get(change_id=running.pk, action="change.tuned")
        assert event.operator_name == at_work.name
        assert event.facts == {
            "chunk_rows": 7,
            "rows_per_second": None,
            "before": {"chunk_rows": None, "rows_per_second": None},
        }

    @pytest.mark.parametrize(("rows", "rate"), [(0, None), (-1, None), (100_001, None), (None, 0), (None, 10_000_001)])
    def test_out_of_bounds_is_refused(self, running: Change, at_work: Actor, rows: Any, rate: Any) -> None:
        with pytest.raises(BadPace):
            tune(running, at_work, rows, rate)

    def test_what_has_ended_has_no_pace(self, running: Change, at_work: Actor) -> None:
        work(running)
        with pytest.raises(WrongState):
            tune(running, at_work, rows=5)

    def test_only_who_may_run_may_tune(self, running: Change, approver: Actor, auditor: Actor) -> None:
        for other in (approver, auditor):
            with pytest.raises(NotAllowed):
                tune(running, other, rows=5)


def test_two_paces_at_once_are_both_recorded_and_one_holds(real_db: Any, operator: Actor) -> None:
    with acting(operator):
        change = ask(operator, "shop.order", keys_of(orders(4))).change
    at_once(*[as_actor(operator, tune, change, operator, rows) for rows in (3, 4)])
    with acting(operator):
        change.refresh_from_db()
        assert change.chunk_rows in (3, 4)
        assert Event.objects.filter(change_id=change.pk, action="change.tuned").count() == 2
    assert work(change).applied == 4
