"""A change that runs as a whole: one transaction, everything or nothing.

The change's own row is locked for its length, so one worker does it while others go away; pause and stop wait and
find it ended. A worker that dies leaves nothing behind, and the sweeper wakes another.
"""

from __future__ import annotations

import random
import time

from django.db import DatabaseError, connection

from changes import chunks, lanes
from changes.errors import CaptureMismatch, ConflictsFound
from changes.finishing import fail, finish
from changes.models import Change
from changes.states import ACTIVE
from foundation.postgres.transactions import durable

ATTEMPTS = 3
# Somebody else was in the way, and may not be the next time: serialization, deadlock, lock not available, cancelled.
PASSING = ("40001", "40P01", "55P03", "57014")
PATIENCE = (
    "SELECT set_config('lock_timeout', '10s', true), set_config('idle_in_transaction_session_timeout', '60s', true)"
)


def work_whole(change: Change, worker: str) -> None:
    """Do all of a change in one transaction, or nothing of it and say why."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _all_of_it(change, worker)
        except (DatabaseError, CaptureMismatch, ConflictsFound) as error:
            passing = getattr(error.__cause__, "sqlstate", "") in PASSING
            if not passing or attempt == ATTEMPTS:
                fail(change, str(error).splitlines()[0][:500])
                return
            time.sleep(random.uniform(0.1, 0.5) * attempt)
        else:
            return


def _all_of_it(change: Change, worker: str) -> None:
    with durable(), connection.cursor() as cursor:
        cursor.execute(PATIENCE)
        cursor.execute(
            "SELECT FROM changes_change WHERE tenant_id = %s AND id = %s AND state = ANY(%s) FOR UPDATE SKIP LOCKED",
            [change.tenant_id, change.pk, list(ACTIVE)],
        )
        if cursor.fetchone() is None:
            return
        while (held := lanes.claim(change, worker)) is not None:
            while chunks.advance(change, held, inline=True):
                pass
        finish(change)
