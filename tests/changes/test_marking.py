"""Snapshots are taken by themselves: before a run that needed approval, and once a day."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from audit.models import Event, Snapshot, Tick
from audit.snapshots import state
from audit.snapshots.browsing import rows_at
from audit.snapshots.taking import take
from changes import marking
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.journey import agree, ask, keys_of, start, work
from tests.personas import item, orders


def test_before_a_large_run_its_tables_are_marked(real_db: Any, operator: Actor, approver: Actor) -> None:
    with acting(operator):
        made = orders(12)
        item(made[0])
    outcome = ask(operator, "shop.order", keys_of(made))
    agree(outcome.ticket, approver)
    with acting(operator):
        assert not Snapshot.objects.exists()
    start(outcome.change, operator)
    work(outcome.change)
    with acting(operator):
        shot = Snapshot.objects.get(change_id=outcome.change.pk)
        assert (shot.kind, shot.name, shot.hold) == ("before_run", f"C-{outcome.change.pk}", False)
        assert {part.entity for part in shot.tables.all()} == {"shop.order", "shop.orderitem"}
        assert not Order.objects.exists()
        assert rows_at(Order, state.of_snapshot(shot), tenant_id=1).count() == 12
        assert Event.objects.filter(action="snapshot.taken", facts__snapshot=shot.pk).count() == 1
        assert marking.before_run(outcome.change) == shot


def test_a_small_run_is_not_marked(real_db: Any, operator: Actor) -> None:
    with acting(operator):
        made = orders(3)
    work(ask(operator, "shop.order", keys_of(made)).change)
    with acting(operator):
        assert not Order.objects.exists()
        assert not Snapshot.objects.exists()


def test_a_name_somebody_chose_does_not_stop_a_run(real_db: Any, operator: Actor, approver: Actor) -> None:
    with acting(operator):
        outcome = ask(operator, "shop.order", keys_of(orders(12)))
        take(f"C-{outcome.change.pk}", entities=[Order], actor=operator)
    agree(outcome.ticket, approver)
    start(outcome.change, operator)
    assert work(outcome.change).state == "done"


@pytest.mark.parametrize("times", [1, 2])
def test_one_snapshot_a_day_per_tenant(real_db: Any, persona: Callable[..., Actor], times: int) -> None:
    one, two = persona("operator", name="One Here"), persona("operator", name="Two There", tenant=2)
    assert [marking.daily() for _ in range(times)] == [2, 0][:times]
    for actor in (one, two):
        with acting(actor):
            shot = Snapshot.objects.get()
            assert shot.kind == "daily"
            assert "shop.order" in {part.entity for part in shot.tables.all()}
            assert shot.kept_until is not None
    assert Tick.objects.exists()


def test_the_schedule_names_tasks_that_exist() -> None:
    from django.conf import settings

    from console.celery import app

    app.loader.import_default_modules()
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} <= set(app.tasks)
