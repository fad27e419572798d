"""Celery tasks of the approvals."""

from __future__ import annotations

from celery import shared_task

from approvals import tickets


@shared_task(name="approvals.expire", ignore_result=True)  # type: ignore[untyped-decorator]
def expire() -> None:
    """Close tickets nobody answered in time."""
    tickets.expire_due()
