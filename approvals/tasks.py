"""Celery tasks of the approvals."""

from __future__ import annotations

from celery import shared_task

from approvals import starting, tickets
from approvals.notices import delivering, reminding


@shared_task(name="approvals.expire", ignore_result=True)  # type: ignore[untyped-decorator]
def expire() -> None:
    """Close tickets nobody answered in time."""
    tickets.expire_due()


@shared_task(name="approvals.start_due", ignore_result=True)  # type: ignore[untyped-decorator]
def start_due() -> None:
    """Start what may start by itself when its window opens."""
    starting.start_due()


@shared_task(name="approvals.remind", ignore_result=True)  # type: ignore[untyped-decorator]
def remind() -> None:
    """Tell approvers of tickets that expire soon."""
    reminding.remind_due()


@shared_task(name="approvals.deliver", ignore_result=True)  # type: ignore[untyped-decorator]
def deliver() -> None:
    """Send what the outbox holds. Any number of these may run at once."""
    delivering.deliver_due()
