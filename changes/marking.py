"""Snapshots nobody has to think of: one a day per tenant, and one before every run that needed approval."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.utils import timezone

from access.models import Tenant
from audit import registry
from audit.entity import SoftDeleted
from audit.models import Snapshot
from audit.snapshots import ticks
from audit.snapshots.errors import BeforeRecording, SnapshotExists
from audit.snapshots.state import NOW, require_recorded
from audit.snapshots.taking import take
from changes.models import Change
from foundation.actor import Actor
from foundation.context import acting

log = logging.getLogger(__name__)
SCHEDULER = "scheduler"
DAILY_KEPT, RUN_KEPT = timedelta(days=90), timedelta(days=90)


def before_run(change: Change) -> Snapshot | None:
    """Mark the state of every table of a change that is about to run, where one of them is over its threshold.

    Part of the caller's transaction: no chunk can come before it. None where there is nothing to mark.
    """
    parts = [(registry.entity(part.entity), part.rows) for part in change.parts.all()]
    if not any(rows > registry.threshold(model) for model, rows in parts):
        return None
    if (found := Snapshot.objects.filter(change_id=change.pk, kind=Snapshot.Kind.BEFORE_RUN).first()) is not None:
        return found
    return take(
        f"C-{change.pk}",
        entities=list(dict.fromkeys(model for model, _ in parts)),
        actor=Actor.service(SCHEDULER, tenant_id=change.tenant_id),
        kind=Snapshot.Kind.BEFORE_RUN,
        note=change.title,
        change_id=change.pk,
        kept_until=timezone.now() + RUN_KEPT,
    )


def daily() -> int:
    """Today's snapshot of every tenant that has none yet, of all its tables; return how many were taken.

    Called every hour: a scheduler that slept over midnight catches up. Also lets go what nobody needs any more.
    """
    name = f"{timezone.now():%Y-%m-%d}"
    taken = 0
    for tenant_id in Tenant.objects.values_list("pk", flat=True):
        with acting(Actor.service(SCHEDULER, tenant_id=tenant_id), channel="task") as work:
            if Snapshot.objects.filter(name=name, kind=Snapshot.Kind.DAILY).exists():
                continue
            try:
                take(
                    name,
                    entities=_recorded_entities(),
                    actor=work.actor,
                    kind=Snapshot.Kind.DAILY,
                    kept_until=timezone.now() + DAILY_KEPT,
                )
            except SnapshotExists:  # somebody else was faster
                continue
            taken += 1
    ticks.tidy()
    return taken


def _recorded_entities() -> list[type[SoftDeleted]]:
    """Tables whose record has begun; an adopted one that is not migrated yet is left out."""
    found = []
    for model in registry.entities():
        try:
            require_recorded(model, NOW, whole=False)
        except BeforeRecording:
            log.warning("%s is not recorded yet, so the daily snapshot leaves it out", model._meta.label_lower)
        else:
            found.append(model)
    return found
