"""The alphabet of faults. Each looks for an open chunk first, strikes, and puts the installation back on its feet."""

from __future__ import annotations

import contextlib
import random
import resource
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import LiteralString

import psycopg

from chaos.messages import Messages
from chaos.proxy import WAYS
from chaos.stage import GOVERNED, TENANT, Stage, signal_to

LOOK_S, LOOK_PAUSE_S = 6.0, 0.01
STOPPED_S, HOLD_S = 12.0, 3.0
CUT_S, FULL_S = 4.0, 12.0
COLUMN = "chaos_note"

# A worker's transaction that holds its lane, or has written rows of a governed table: seen by its locks, so that no
# statement of the engine has to be known here.
OPEN_CHUNKS = """
SELECT a.pid, a.application_name FROM pg_stat_activity a
 WHERE a.application_name = ANY(%s) AND a.xact_start IS NOT NULL AND EXISTS (
   SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.granted AND l.locktype = 'relation'
      AND ((l.mode = 'RowExclusiveLock' AND l.relation = ANY(%s::regclass[]))
        OR (l.mode = 'RowShareLock' AND l.relation = 'changes_lane'::regclass)))
"""
A_TABLE_OF_A_RUN = """
SELECT split_part(g.table_name, '.', 2) FROM changes_change c JOIN changes_changepart p ON p.change_id = c.id
  JOIN audit_governedtable g ON g.entity = p.entity WHERE c.state = 'running' ORDER BY random() LIMIT 1
"""
PURGES_AHEAD = """
SELECT count(*) FROM changes_change c WHERE c.operation = 'purge' AND (c.state IN ('waiting', 'cleared')
   OR (c.state = 'running' AND EXISTS (SELECT FROM changes_lane l WHERE l.change_id = c.id AND l.kind = 'archive' AND l.state = 'open')))
"""
FULL_ARCHIVES = """
SELECT count(*) FROM changes_lane WHERE kind = 'archive' AND state = 'failed'
"""


@dataclass(frozen=True, slots=True)
class Chunk:
    """An open chunk: the backend that holds it and the program on its other end."""

    backend: int
    program: str


FILL = "fill the archive"

# A careless executor has no broker, no relay and no child process.
FOR_THE_NAIVE = (
    "kill the worker's parent",
    "kill the backend",
    "terminate the backend",
    "kill the postmaster",
    "hold locks",
)


class Faults:
    """Draws from the alphabet with a seed of its own; `hits` counts strikes inside an open chunk."""

    def __init__(self, stage: Stage, *, seed: int) -> None:
        self.stage = stage
        self.random = random.Random(f"faults {seed}")
        self.hits = 0
        self.frozen: set[int] = set()
        self.slept: dict[str, float] = {}
        self.full_archives = self.fills_due = 0
        self.messages = Messages(stage, self.random)
        self.alphabet: dict[str, tuple[int, Callable[[Chunk | None], bool | None]]] = {
            "kill the worker's child": (16, self.kill_child),
            "kill the worker's parent": (7, self.kill_parent),
            "kill the backend": (9, self.kill_backend),
            "terminate the backend": (9, self.terminate_backend),
            "kill the postmaster": (7, self.kill_postmaster),
            "stop a worker for 12 s": (7, self.stop_worker),
            "cut around COMMIT": (14, self.cut_at_commit),
            "flush the broker": (6, self.messages.flush),
            "kill the broker": (4, self.messages.kill),
            "repeat and shuffle messages": (7, self.messages.repeat),
            "hold locks": (5, self.hold_locks),
            "change the table": (6, self.change_table),
            FILL: (4, self.fill_archive),
        }
        if stage.naive:
            self.alphabet = {name: self.alphabet[name] for name in FOR_THE_NAIVE}

    def strike(self) -> tuple[str, bool]:
        """One fault; its name, and whether it hit an open chunk. A fault that has to hit more than that says so itself."""
        name = self._draw()
        time.sleep(self.random.uniform(0.05, 0.6))
        try:
            chunk = None if name == FILL else self.look()
        except psycopg.OperationalError:  # the server is still ending after the last fault
            self.stage.wait_for_cluster()
            chunk = self.look()
        self.messages.remember()
        try:
            said = self.alphabet[name][1](chunk)
        except psycopg.OperationalError:
            self.stage.wait_for_cluster()
            said = False
        hit = chunk is not None if said is None else said
        self.hits += hit
        return name, hit

    def _draw(self) -> str:
        """A fault by its weight. A full archive waits for a purge that is about to write there."""
        names = list(self.alphabet)
        weights = [self.alphabet[name][0] for name in names]
        name = self.random.choices(names, weights)[0]
        while name == FILL:
            self.fills_due += 1
            name = self.random.choices(names, weights)[0]
        if self.fills_due and self._count(PURGES_AHEAD):
            self.fills_due -= 1
            return FILL
        return name

    def look(self) -> Chunk | None:
        """Wait for an open chunk, then for a random moment inside of it."""
        deadline = time.monotonic() + LOOK_S
        who = [list(self.stage.programs), list(GOVERNED)]
        with psycopg.connect(self.stage.admin, autocommit=True) as connection:
            while time.monotonic() < deadline:
                rows = connection.execute(OPEN_CHUNKS, who).fetchall()
                if rows:
                    time.sleep(self.random.uniform(0, self.stage.slow_s / 2))
                    still = connection.execute(OPEN_CHUNKS, who).fetchall()
                    both = [row for row in rows if row in still]
                    if both:
                        return Chunk(*self.random.choice(both))
                time.sleep(LOOK_PAUSE_S)
        return None

    # -- processes ----------------------------------------------------------------------------------

    def kill_child(self, chunk: Chunk | None) -> None:
        for child in self._children(chunk):
            signal_to(child, signal.SIGKILL)

    def kill_parent(self, chunk: Chunk | None) -> None:
        """Only the parent: its child works on as an orphan while a new worker starts."""
        process = self.stage.programs[self._program(chunk)]
        signal_to(process.pid, signal.SIGKILL)
        process.wait()
        self.stage.revive()

    def stop_worker(self, chunk: Chunk | None) -> None:
        """A worker that is dead for longer than its lease, and then wakes up where it was."""
        program = self._program(chunk)
        self.slept[program] = time.monotonic() + STOPPED_S
        pids = self._children(chunk, program) or [self.stage.programs[program].pid]
        pids = [pid for pid in pids if pid not in self.frozen]
        for pid in pids:
            signal_to(pid, signal.SIGSTOP)
        self.frozen.update(pids)
        threading.Timer(STOPPED_S, self._wake, [pids]).start()

    def _wake(self, pids: list[int]) -> None:
        for pid in pids:
            signal_to(pid, signal.SIGCONT)
            self.frozen.discard(pid)

    def wake_all(self) -> None:
        self._wake(list(self.frozen))

    # -- PostgreSQL -----------------------------------------------------------------------------------

    def kill_backend(self, chunk: Chunk | None) -> None:
        """SIGKILL for one backend: the server ends all others and recovers from its log."""
        signal_to(chunk.backend if chunk else self._some_backend(), signal.SIGKILL)
        time.sleep(0.1)
        self.stage.wait_for_cluster()

    def terminate_backend(self, chunk: Chunk | None) -> None:
        with psycopg.connect(self.stage.admin, autocommit=True) as connection:
            pid = chunk.backend if chunk else self._some_backend()
            connection.execute("SELECT pg_terminate_backend(%s)", [pid])

    def kill_postmaster(self, chunk: Chunk | None) -> None:
        signal_to(self.stage.cluster.pid, signal.SIGKILL)
        self.stage.restart_cluster()

    def hold_locks(self, chunk: Chunk | None) -> None:
        """Somebody who locks rows of a running change and thinks about it."""
        with contextlib.suppress(psycopg.Error), psycopg.connect(self.stage.admin) as connection:
            connection.execute("SET LOCAL lock_timeout = '1s'")
            connection.execute(
                "SELECT FROM shop_usertag WHERE id IN (SELECT r.position FROM changes_frozenrow r JOIN changes_lane l "
                "ON l.change_id = r.change_id AND l.part = r.part AND l.state = 'open' AND r.position > l.cursor "
                "WHERE r.tenant_id = %s LIMIT 5000) FOR UPDATE",
                [TENANT],
            )
            time.sleep(HOLD_S)

    def cut_at_commit(self, chunk: Chunk | None) -> bool:
        """The connection ends before, while or after the server hears of the chunk's COMMIT."""
        link = self.stage.proxy.find(chunk.backend) if chunk and self.stage.proxy else None
        if link is None:
            return False
        link.armed = self.random.choice(WAYS)
        return link.fell.wait(CUT_S)

    def change_table(self, chunk: Chunk | None) -> None:
        """A column comes, and goes the next time, on a table of a running change. It pauses and asks."""
        with psycopg.connect(self.stage.admin, autocommit=True) as connection:
            row = connection.execute(A_TABLE_OF_A_RUN).fetchone()
            table = row[0] if row else self.random.choice(GOVERNED)
            there = connection.execute(
                "SELECT 1 FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s", [table, COLUMN]
            ).fetchone()
            connection.execute("SET lock_timeout = '300ms'")
            for _ in range(10):
                with contextlib.suppress(psycopg.errors.LockNotAvailable):
                    connection.execute(
                        f"ALTER TABLE {table} {'DROP' if there else 'ADD'} COLUMN {COLUMN}{'' if there else ' text'}"
                    )
                    return
                time.sleep(self.random.uniform(0, 0.2))

    def fill_archive(self, chunk: Chunk | None) -> bool:
        """No byte fits into the archive any more, until a purge has failed of it or a while has passed."""
        before = self._count(FULL_ARCHIVES)
        self._fill(full=True)
        deadline = time.monotonic() + FULL_S
        try:
            while time.monotonic() < deadline:
                if self._count(FULL_ARCHIVES) > before:
                    self.full_archives += 1
                    return True
                time.sleep(0.05)
        finally:
            self._fill(full=False)
        return False

    def _fill(self, *, full: bool) -> None:
        """A full file system where one could be mounted; else no program may let a file grow."""
        if self.stage.archive.mounted:
            (self.stage.archive.fill if full else self.stage.archive.clear)()
            return
        for name in self.stage.programs:
            for pid in self._children(None, name):
                with contextlib.suppress(OSError):
                    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0 if full else most, most))

    def _count(self, query: LiteralString) -> int:
        try:
            with psycopg.connect(self.stage.admin, autocommit=True) as connection:
                row = connection.execute(query).fetchone()
                return int(row[0]) if row else 0
        except psycopg.OperationalError:  # the server is still ending after the last fault
            self.stage.wait_for_cluster()
            return 0

    # -- who --------------------------------------------------------------------------------------------

    def _program(self, chunk: Chunk | None) -> str:
        workers = [name for name in self.stage.programs if name != "beat"]
        return chunk.program if chunk and chunk.program in workers else self.random.choice(workers)

    def _children(self, chunk: Chunk | None, program: str = "") -> list[int]:
        """The worker's child processes."""
        parent = self.stage.programs[program or self._program(chunk)].pid
        with contextlib.suppress(OSError), open(f"/proc/{parent}/task/{parent}/children") as file:
            return [int(pid) for pid in file.read().split()]
        return []

    def _some_backend(self) -> int:
        with psycopg.connect(self.stage.admin, autocommit=True) as connection:
            row = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE usename = 'custody_app' ORDER BY random() LIMIT 1"
            ).fetchone()
            return int(row[0]) if row else connection.info.backend_pid
