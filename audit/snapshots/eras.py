"""Opening an era. Whoever needs one calls `open_era`; it is one look where nothing has changed."""

from __future__ import annotations

from typing import Any

from django.db import OperationalError, connection, connections

from audit.snapshots.errors import EraBusy, OnStandby
from audit.snapshots.models import Era

LOCK_NOT_AVAILABLE = "55P03"


def open_era() -> int:
    """The number of the era of this cluster, opened if the data came from another one.

    Raises OnStandby, EraBusy.
    """
    refuse_standby()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT custody.open_era()")
            return int(cursor.fetchone()[0])
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise EraBusy() from error
        raise


def refuse_standby() -> None:
    """A standby's own snapshots do not list the primary's open transactions. Raises OnStandby."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery()")
        if cursor.fetchone()[0]:
            raise OnStandby()


def eras() -> list[Era]:
    """All eras, the oldest first."""
    return list(Era.objects.order_by("number"))


def open_after_migrate(sender: Any, using: str, **kwargs: Any) -> None:
    """The first thing in a database is its era; post_migrate calls this per app, once is enough."""
    if sender.name != "audit":
        return
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT to_regprocedure('custody.open_era()') IS NOT NULL")
        if cursor.fetchone()[0]:
            cursor.execute("SELECT custody.open_era()")
