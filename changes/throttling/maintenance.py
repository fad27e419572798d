"""Autovacuum, or other maintenance that holds its lock (analyze, an index build), on the tables of a change."""

from __future__ import annotations

from django.conf import settings
from django.db import connection

from changes.throttling.reading import Reading, Watched

HOLDERS = """
SELECT count(DISTINCT pid) FROM pg_locks
 WHERE granted AND mode = 'ShareUpdateExclusiveLock' AND relation = ANY (%s::regclass[]::oid[])
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def running(watched: Watched) -> Reading | None:
    if not settings.CUSTODY_THROTTLE_MAINTENANCE:
        return None
    with connection.cursor() as cursor:
        cursor.execute(HOLDERS, [list(watched.tables)])
        return Reading("maintenance", float(cursor.fetchone()[0]), 0)
