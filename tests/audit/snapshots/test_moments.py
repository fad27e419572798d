"""A moment of the past is answered by the last tick before it, as one consistent state, or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.models import Tick
from audit.snapshots import state, ticks
from audit.snapshots.browsing import after, rows_at
from audit.snapshots.errors import BeforeRecording, NothingRecorded
from foundation.actor import Actor
from shop.models import Order
from tests.personas import order, orders


def notes(of: state.State) -> list[str]:
    return [row.note for row in rows_at(Order, of, tenant_id=1)]


def test_a_moment_means_the_tick_before_it(at_work: Actor) -> None:
    row = order(note="one")
    first = ticks.tick()
    Order.objects.filter(pk=row.pk).update(note="two")
    between = timezone.now()
    Order.objects.filter(pk=row.pk).update(note="three")
    second = ticks.tick()
    for moment, tick, expected in (
        (between, first, "one"),
        (second.at, second, "three"),
        (timezone.now(), second, "three"),
    ):
        found = state.at(moment)
        assert found.at == tick.at
        assert notes(found) == [expected]


def test_before_recording_began_nothing_is_answered(at_work: Actor) -> None:
    with pytest.raises(NothingRecorded):
        state.at(timezone.now())
    began = ticks.tick().at
    with pytest.raises(BeforeRecording) as refused:
        state.at(began - timedelta(microseconds=1))
    assert refused.value.facts["began"] == began.isoformat()


def test_rows_of_a_moment_come_page_by_page(at_work: Actor) -> None:
    made = orders(5)
    tick = ticks.tick()
    Order.objects.filter(pk=made[1].pk).update(is_deleted=True)
    rows = rows_at(Order, state.of_tick(tick), tenant_id=1)
    first = list(rows[:2])
    rest = list(rows.filter(after(Order, (first[-1].id,))))
    assert [row.id for row in (*first, *rest)] == [one.pk for one in made]


def test_old_ticks_are_thinned_to_one_an_hour(at_work: Actor, real_db: Any) -> None:
    with real_db.owner() as owner:
        for minutes in (0, 1, 30, 59, 60, 61):
            moment = datetime(2024, 5, 6, 7, 0, tzinfo=UTC) + timedelta(minutes=minutes)
            owner.execute(
                "INSERT INTO audit_tick (at, era, xid, snapshot, last_event) VALUES (%s, 1, '700', '700:700:', 0)",
                [moment],
            )
    recent = ticks.tick()
    ticks.tidy()
    left = list(Tick.objects.order_by("at").values_list("at", flat=True))
    assert [(at.hour, at.minute) for at in left[:-1]] == [(7, 0), (8, 0)]
    assert left[-1] == recent.at


@pytest.mark.parametrize("text", ["", "1:2", "1:2:;DROP", "a:b:", "1:2:3,", "1:1:' OR true"])
def test_only_a_snapshot_becomes_part_of_a_statement(text: str) -> None:
    with pytest.raises(ValueError, match="pg_snapshot"):
        state.State(snapshot=text, era=1)
