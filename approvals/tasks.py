"""Celery tasks of the approvals."""

from __future__ import annotations

from celery import shared_task

from approvals import tickets
from approvals.notices import delivering, reminding


@shared_task(name="approvals.expire", ignore_result=True)  # type: ignore[untyped-decorator]
def expire() -> None:
    """Close tickets nobody answered in time."""
    tickets.expire_due()


@shared_task(name="approvals.remind", ignore_result=True)  # type: ignore[untyped-decorator]
def remind() -> None:
    """Tell approvers of tickets that expire soon."""
    reminding.remind_due()


@shared_task(name="approvals.deliver", ignore_result=True)  # type: ignore[untyped-decorator]
def deliver() -> None:
    """Send what the outbox holds. Any number of these may run at once."""
    delivering.deliver_due()
