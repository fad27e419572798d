"""The sweeper: wakes every change that should be moving and is not. Needs no memory of its own."""

from __future__ import annotations

import time

from django.db.models.functions import Now

from access.models import Tenant
from changes import execution, lanes
from changes.models import Change, Heartbeat
from changes.states import ACTIVE
from foundation.actor import Actor
from foundation.context import acting

SCHEDULER = "scheduler"


def stalled() -> list[Change]:
    """Active changes of the current tenant with a lane nobody works on, or with nothing left but the end."""
    active = Change.objects.filter(state__in=ACTIVE).order_by("pk")
    return [change for change in active if lanes.claimable(change) or not lanes.unfinished(change)]


def sweep() -> int:
    """Wake stalled changes of all tenants; return how many."""
    Heartbeat.objects.update_or_create(name="worker", defaults={"at": Now()})
    woken = 0
    for tenant_id in Tenant.objects.values_list("pk", flat=True):
        with acting(Actor.service(SCHEDULER, tenant_id=tenant_id), channel="task"):
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
