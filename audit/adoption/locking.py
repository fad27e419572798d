"""DDL beside running programs: short waits, many tries.

A waiting ALTER blocks everybody behind it, so it waits at most `LOCK_TIMEOUT`: that is the longest stall another
program sees. It lies well below PostgreSQL's deadlock timeout, so the migration yields and never the other program.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from django.db import OperationalError, transaction

from foundation.errors import Unavailable

LOCK_TIMEOUT_MS = 100
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0
PATIENCE_S = 600.0
RETRIED = ("55P03", "40P01")  # lock_not_available, deadlock_detected


class TableBusy(Unavailable):
    """%(table)s was locked by other sessions for %(seconds)s seconds (%(holders)s). Run the same command again later; nothing is lost."""

    code = "table_busy"


def patiently(connection: Any, table: str, step: Callable[[Any], None], *, patience_s: float = PATIENCE_S) -> int:
    """Run `step(cursor)` in one transaction, again while its locks are not to be had. Return the retries.

    Raises TableBusy after `patience_s`.
    """
    started, pause, retries = time.monotonic(), FIRST_PAUSE_S, 0
    while True:
        try:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_MS}ms'")
                step(cursor)
            return retries
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) not in RETRIED:
                raise
            if time.monotonic() - started > patience_s:
                raise TableBusy(table=table, seconds=int(patience_s), holders=_holders(connection, table)) from error
        retries += 1
        time.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(pause * 2, LONGEST_PAUSE_S)


def _holders(connection: Any, table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(DISTINCT format('pid %%s, %%s', a.pid, coalesce(nullif(a.application_name, ''), a.usename)), '; ') "
            "FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
            "WHERE l.relation = to_regclass(%s) AND l.granted",
            [table],
        )
        return str(cursor.fetchone()[0] or "nobody any more")
