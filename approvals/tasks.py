"""Celery tasks of the approvals."""

from __future__ import annotations

from celery import shared_task

from approvals import starting, tickets


@shared_task(name="approvals.expire", ignore_result=True)  # type: ignore[untyped-decorator]
def expire() -> None:
    """Close tickets nobody answered in time."""
    tickets.expire_due()


@shared_task(name="approvals.start_due", ignore_result=True)  # type: ignore[untyped-decorator]
def start_due() -> None:
    """Start what may start by itself when its window opens."""
    starting.start_due()
