"""Celery tasks of the record: ids in, one call, nothing decided here."""

from __future__ import annotations

from celery import shared_task
from django.db import connection

from audit.snapshots import measuring, ticks
from audit.snapshots.models import SnapshotTable
from foundation.actor import Actor
from foundation.context import acting


@shared_task(name="audit.tick", ignore_result=True, expires=25)  # type: ignore[untyped-decorator]
def tick() -> None:
    """Record the present state."""
    with acting(Actor.service("scheduler"), channel="task"):
        ticks.tick()


@shared_task(name="audit.measure", acks_late=True, ignore_result=True)  # type: ignore[untyped-decorator]
def measure(part_id: int, tenant_id: int) -> None:
    """Measure one table of a snapshot."""
    with acting(Actor.service("worker", tenant_id=tenant_id), channel="task"):
        part = SnapshotTable.objects.select_related("snapshot").filter(pk=part_id).first()
        if part is not None:
            measuring.measure(part)


@shared_task(name="audit.forget_buckets", ignore_result=True)  # type: ignore[untyped-decorator]
def forget_buckets() -> None:
    """Throw away the guard's buckets that no window reads any more."""
    with acting(Actor.service("scheduler"), channel="task"), connection.cursor() as cursor:
        cursor.execute("SELECT custody.forget_buckets()")
