"""I16: no worker holds locks of a governed table for longer than two seconds, none sits idle in a transaction for five.

A worker that a fault has put to sleep is let off until its lease of ten seconds is over; the server ends it then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg

from chaos.stage import GOVERNED

LOOK_EVERY_S = 0.25
LOCKS_S, IDLE_S = 2.0, 5.0
LEASE_S = 10.0
# Transactions of workers with what they hold, and how long they have been open and idle. What waits for the disk after
# COMMIT, or for a lock itself, is counted too: its own locks are held meanwhile.
HELD = """
SELECT a.pid, a.application_name, extract(epoch FROM clock_timestamp() - a.xact_start)::float8,
       CASE WHEN a.state LIKE 'idle in%%' THEN extract(epoch FROM clock_timestamp() - a.state_change)::float8 ELSE 0 END,
       EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.granted AND l.locktype = 'relation'
                  AND l.mode IN ('RowExclusiveLock', 'RowShareLock') AND l.relation = ANY(%s::regclass[]))
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

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                with psycopg.connect(self.conninfo, autocommit=True, application_name="watch") as connection:
                    while not self.stopping.wait(LOOK_EVERY_S):
                        self._look(connection)
            except psycopg.Error:  # the server was killed
                time.sleep(0.2)

    def _look(self, connection: psycopg.Connection) -> None:
        self.looks += 1
        for pid, program, open_s, idle_s, holds in connection.execute(
            HELD, [list(GOVERNED), self.programs()]
        ).fetchall():
            if self._sleeps(program):
                if idle_s > LEASE_S + LOCKS_S:
                    self._complain(pid, f"I16 {program} asleep in a transaction for {idle_s:.1f} s, beyond its lease")
                continue
            if idle_s > IDLE_S:
                self._complain(pid, f"I16 {program} idle in a transaction for {idle_s:.1f} s")
            if holds:
                self.longest_s = max(self.longest_s, open_s)
                if open_s > LOCKS_S:
                    self._complain(pid, f"I16 {program} held locks for {open_s:.1f} s")

    def _sleeps(self, program: str) -> bool:
        return time.monotonic() < self.asleep.get(program, 0.0) + LOCKS_S

    def _complain(self, pid: int, what: str) -> None:
        if pid not in self._told:  # once per backend
            self._told.add(pid)
            self.complaints.append(what)
