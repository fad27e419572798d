"""The sweeper: wakes every change that should be moving and is not, opens windows, ends trials. Needs no memory of its own."""

from __future__ import annotations

import time

from django.db.models.functions import Now

from access.models import Tenant
from changes import canary, clock, execution, lanes
from changes.models import Change, Heartbeat
from changes.states import ACTIVE, Held, State
from foundation.actor import Actor
from foundation.context import acting

SCHEDULER = "scheduler"


def stalled() -> list[Change]:
    """Active changes of the current tenant with a lane nobody works on, a trial to judge, or nothing left but the end."""
    active = Change.objects.filter(state__in=ACTIVE).order_by("pk")
    return [
        change for change in active if lanes.claimable(change) or canary.due(change) or not lanes.unfinished(change)
    ]


def reopen() -> int:
    """Let changes of the current tenant go on whose window has opened; return how many."""
    held = Change.objects.filter(state=State.PAUSED, held=Held.WINDOW).order_by("pk")
    return sum(clock.is_open(change) and execution.reopen(change) for change in held)


def sweep() -> int:
    """Wake stalled changes of all tenants; return how many."""
    Heartbeat.objects.update_or_create(name="worker", defaults={"at": Now()})
    woken = 0
    for tenant_id in Tenant.objects.values_list("pk", flat=True):
        with acting(Actor.service(SCHEDULER, tenant_id=tenant_id), channel="task"):
            reopen()
            for change in stalled():
                execution.wake(change)
                woken += 1
    return woken


def run_pending(*, worker: str) -> int:
    """Finish every active change in this process, without a broker; return how many were worked on."""
    done = 0
    for tenant_id in Tenant.objects.values_list("pk", flat=True):
        with acting(Actor.service(SCHEDULER, tenant_id=tenant_id), channel="task"):
            for change in Change.objects.filter(state__in=ACTIVE):
                _work_off(change, worker)
                done += 1
    return done


def _work_off(change: Change, worker: str) -> None:
    """Work until the change stands still; lanes that another worker left behind come free in a few seconds."""
    while Change.objects.filter(pk=change.pk, state__in=ACTIVE).exists():
        if not execution.work(change.pk, worker=worker):
            time.sleep(0.2)
