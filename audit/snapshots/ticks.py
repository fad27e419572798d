"""Ticks: the state of everything, recorded twice a minute, so that a moment of the past has a state."""

from __future__ import annotations

from django.db import connection

from audit.snapshots import eras
from audit.snapshots.models import Tick


def tick() -> Tick:
    """Record the present state; opens the era first. Call it outside of a transaction that has written.

    Raises OnStandby, EraBusy.
    """
    eras.open_era()
    with connection.cursor() as cursor:
        cursor.execute("SELECT custody.tick()")
        return Tick.objects.get(pk=cursor.fetchone()[0])


def tidy() -> int:
    """Remove snapshots whose time is over and most of the old ticks; return how many snapshots went."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT custody.tidy_snapshots()")
        return int(cursor.fetchone()[0])
