"""I16: no worker holds locks of a governed table for longer than two seconds, none sits idle in a transaction for five.

A worker that a fault has put to sleep is let off until its lease of ten seconds is over; the server ends it then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg

from chaos.checker import TABLES

LOOK_EVERY_S = 0.25
LOCKS_S, IDLE_S = 2.0, 5.0
LEASE_S = 10.0
LOOKS_REMEMBERED = 20
# Transactions of workers with what they hold, how long they have been open and idle, and what they are at. The age of the
# transaction stands for that of its locks. A rollback is one transaction on purpose: its length is its own matter.
HELD = """
SELECT a.pid, a.application_name, extract(epoch FROM clock_timestamp() - a.xact_start)::float8,
       CASE WHEN a.state LIKE 'idle in%%' THEN extract(epoch FROM clock_timestamp() - a.state_change)::float8 ELSE 0 END,
       EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.granted AND l.locktype = 'relation'
                  AND l.mode IN ('RowExclusiveLock', 'RowShareLock') AND l.relation = ANY(%s::regclass[]))
         AND NOT EXISTS (SELECT FROM changes_change c WHERE c.operation = 'rollback' AND c.state = 'running'),
       concat_ws(' ', a.state, a.wait_event_type, a.wait_event, left(a.query, 80))
  FROM pg_stat_activity a WHERE a.application_name = ANY(%s) AND a.xact_start IS NOT NULL
"""


class Watch(threading.Thread):
    """Looks all the time; `asleep` says until when (monotonic) which program sleeps."""

    def __init__(self, conninfo: str, programs: Callable[[], list[str]], asleep: dict[str, float]) -> None:
        super().__init__(name="watch", daemon=True)
        self.conninfo, self.programs, self.asleep = conninfo, programs, asleep
        self.stopping = threading.Event()
        self.looks = 0
        self.longest_s = 0.0
        self.complaints: list[str] = []
        self._told: set[int] = set()
        self._late: list[float] = []

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                with psycopg.connect(self.conninfo, autocommit=True, application_name="watch") as connection:
                    began = time.monotonic()
                    while not self.stopping.wait(LOOK_EVERY_S):
                        self._look(connection)
                        self._late = [*self._late[-LOOKS_REMEMBERED:], time.monotonic() - began - LOOK_EVERY_S]
                        began = time.monotonic()
            except psycopg.Error:  # the server was killed
                time.sleep(0.2)

    def _look(self, connection: psycopg.Connection) -> None:
        """A machine that lets this very look wait lets workers wait as well: that much longer is no fault of theirs."""
        self.looks += 1
        late_s = max(self._late, default=0.0)
        rows = connection.execute(HELD, [[table.name for table in TABLES], self.programs()]).fetchall()
        for pid, program, open_s, idle_s, holds, doing in rows:
            if self._sleeps(program):
                if idle_s > LEASE_S + LOCKS_S + late_s:
                    self._complain(pid, f"I16 {program} asleep in a transaction for {idle_s:.1f} s, beyond its lease")
                continue
            if idle_s > IDLE_S + late_s:
                self._complain(pid, f"I16 {program} idle in a transaction for {idle_s:.1f} s")
            if holds:
                self.longest_s = max(self.longest_s, open_s)
                if open_s > LOCKS_S + late_s:
                    self._complain(
                        pid, f"I16 {program} held locks for {open_s:.1f} s (a look took {late_s:.1f} s): {doing}"
                    )

    def _sleeps(self, program: str) -> bool:
        return time.monotonic() < self.asleep.get(program, 0.0) + LOCKS_S

    def _complain(self, pid: int, what: str) -> None:
        if pid not in self._told:  # once per backend
            self._told.add(pid)
            self.complaints.append(what)
