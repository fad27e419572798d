"""Somebody holds a lock that the change would wait for, or others wait already: from CUSTODY_THROTTLE_LOCK_WAIT seconds
on it blocks.

The age of a lock is not known, the age of the transaction that holds it is. Long transactions that write without locking
the table hold some rows, perhaps ours, so they are a warning. A run that is under way yields by itself
(`changes.throttling`).
"""

from __future__ import annotations

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from changes.preflight.base import BLOCK, PASS, WARN, Check, Finding, Subject
from changes.tables import table_of
from changes.throttling import locks as waiting
from changes.throttling.reading import Watched

# ROW EXCLUSIVE, which a chunk takes, waits for SHARE and everything stronger.
HOLDERS = """
SELECT l.pid, l.relation::regclass::text, l.mode, extract(epoch FROM clock_timestamp() - a.xact_start)::float,
       coalesce(a.usename, '-'), coalesce(a.application_name, ''), coalesce(a.state, '-'),
       l.mode NOT IN ('RowShareLock', 'RowExclusiveLock')
  FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.granted AND l.pid <> pg_backend_pid() AND l.locktype = 'relation'
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.relation = ANY (%s::regclass[]::oid[])
   AND l.mode NOT IN ('AccessShareLock', 'ShareUpdateExclusiveLock')
   AND clock_timestamp() - a.xact_start >= make_interval(secs => %s)
 ORDER BY 8 DESC, 4 DESC LIMIT 5
"""


def ask(subject: Subject) -> Finding | None:
    limit = settings.CUSTODY_THROTTLE_LOCK_WAIT
    if not limit:
        return None
    tables = [table_of(entity).name for entity in subject.entities]
    with connection.cursor() as cursor:
        cursor.execute(HOLDERS, [tables, limit])
        found = cursor.fetchall()
    names = ("pid", "table", "mode", "seconds", "login", "program", "state", "whole")
    holders = [dict(zip(names, row, strict=True)) for row in found]
    longest = waiting.waits(Watched(tuple(tables)))
    waited_s = round(longest.value, 1) if longest is not None else 0.0
    facts = {"holders": holders, "limit": limit, "waited": waited_s}
    if any(one["whole"] for one in holders) or waited_s >= limit:
        return Finding("locks", BLOCK, "locks", facts)
    return Finding("locks", WARN, "locks", facts) if holders else Finding("locks", PASS, "no_locks", facts)


CHECK = Check(
    name="locks",
    label=_("Locks"),
    ask=ask,
    way=_("Wait until that transaction ends, or end it."),
    passes=True,
)
