"""Write-ahead log that the whole server writes, in megabytes per second, between two looks of this process."""

from __future__ import annotations

import time

from django.conf import settings
from django.db import connection

from changes.throttling.reading import Reading, Watched

LEAST_S = 0.5
MEGABYTE = 1024 * 1024
_last: dict[str, tuple[float, int]] = {}


def rate(watched: Watched) -> Reading | None:
    limit = settings.CUSTODY_THROTTLE_WAL
    if not limit:
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
        written = int(cursor.fetchone()[0])
    name, now = str(connection.settings_dict["NAME"]), time.monotonic()
    before = _last.get(name)
    if before is None or now - before[0] >= LEAST_S:
        _last[name] = (now, written)
    if before is None or now - before[0] < LEAST_S:
        return None
    return Reading("wal", (written - before[1]) / MEGABYTE / (now - before[0]), limit)
