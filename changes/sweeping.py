"""The sweeper: wakes every change that should be moving and is not. Needs no memory of its own."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from access.models import Tenant
from changes import execution, lanes
from changes.models import Change, Heartbeat, Lane
from changes.states import ACTIVE
from foundation.actor import Actor
from foundation.context import acting

SCHEDULER = "scheduler"


def stalled() -> list[Change]:
    """Active changes of the current tenant with a lane nobody works on, or with nothing left but the end."""
    stale = Now() - timedelta(seconds=lanes.STALE_SECONDS)
    free = Q(worker="") | Q(heartbeat_at__lt=stale)
    waiting = Lane.objects.filter(free, state=Lane.State.OPEN, change__state__in=ACTIVE).values("change_id")
    ended = Change.objects.filter(state__in=ACTIVE).exclude(
        pk__in=Lane.objects.filter(state=Lane.State.OPEN).values("change_id")
    )
    return list(Change.objects.filter(Q(pk__in=waiting) | Q(pk__in=ended.values("pk")), state__in=ACTIVE))


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
                while execution.work(change.pk, worker=worker):
                    pass
                done += 1
    return done
