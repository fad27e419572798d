"""The longest anybody has been waiting for a lock on the tables of a change, in seconds."""

from __future__ import annotations

from django.conf import settings
from django.db import connection

from changes.throttling.reading import Reading, Watched

# Who waits for a row waits for a transaction; that it is about these tables shows in the locks it has already.
WAITS = """
SELECT max(extract(epoch FROM clock_timestamp() - w.waitstart)) FROM pg_locks w
 WHERE NOT w.granted AND w.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND w.relation = ANY (%(tables)s::regclass[]::oid[])
    OR NOT w.granted AND w.locktype IN ('transactionid', 'virtualxid')
   AND EXISTS (SELECT FROM pg_locks h WHERE h.pid = w.pid AND h.granted AND h.relation = ANY (%(tables)s::regclass[]::oid[])
                  AND h.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""


def waits(watched: Watched) -> Reading | None:
    limit = settings.CUSTODY_THROTTLE_LOCK_WAIT
    if not limit:
        return None
    with connection.cursor() as cursor:
        cursor.execute(WAITS, {"tables": list(watched.tables)})
        found = cursor.fetchone()[0]
    return None if found is None else Reading("lock_wait", float(found), limit)
