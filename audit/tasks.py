"""Celery tasks of the record."""

from __future__ import annotations

from celery import shared_task
from django.db import connection


@shared_task(name="audit.forget_buckets", ignore_result=True)  # type: ignore[untyped-decorator]
def forget_buckets() -> None:
    """Throw away the guard's buckets that no window reads any more."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT custody.forget_buckets()")
