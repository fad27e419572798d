"""Replica lag in seconds, of the slowest replica. Other logins' lag is shown to members of pg_read_all_stats only."""

from __future__ import annotations

from django.conf import settings
from django.db import connection

from changes.throttling.reading import Reading, Watched

# A replica that is stuck reports no new lag, so what it has not replayed counts from its last reply on.
LAG = """
SELECT max(greatest(extract(epoch FROM replay_lag),
                    CASE WHEN replay_lsn < pg_current_wal_lsn() THEN extract(epoch FROM clock_timestamp() - reply_time) END))
  FROM pg_stat_replication WHERE NOT pg_is_in_recovery() AND state = 'streaming'
"""


def lag(watched: Watched) -> Reading | None:
    limit = settings.CUSTODY_THROTTLE_REPLICA_LAG
    if not limit:
        return None
    with connection.cursor() as cursor:
        cursor.execute(LAG)
        found = cursor.fetchone()[0]
    return None if found is None else Reading("replica_lag", float(found), limit)
