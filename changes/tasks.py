"""Celery tasks: ids in, one call, nothing decided here."""

from __future__ import annotations

import os
import socket

from celery import shared_task

from changes import execution, marking, sweeping
from foundation.actor import Actor
from foundation.context import acting


def worker_name() -> str:
    """Names this process in the lanes it claims."""
    return f"{socket.gethostname()}:{os.getpid()}"


@shared_task(name="changes.work", acks_late=True, ignore_result=True)  # type: ignore[untyped-decorator]
def work(change_id: int, tenant_id: int) -> None:
    """Work on a change of a tenant, and come back while there is more."""
    with acting(Actor.service("worker", tenant_id=tenant_id), channel="task"):
        if execution.work(change_id, worker=worker_name()):
            work.delay(change_id, tenant_id)


@shared_task(name="changes.sweep", ignore_result=True, expires=10)  # type: ignore[untyped-decorator]
def sweep() -> None:
    """Wake what stands still."""
    sweeping.sweep()


@shared_task(name="changes.daily_snapshots", ignore_result=True, expires=3000)  # type: ignore[untyped-decorator]
def daily_snapshots() -> None:
    """Take today's snapshots where they are missing."""
    marking.daily()
