"""The alphabet of faults. Each looks for an open chunk first, strikes, and puts the installation back on its feet."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import redis

from chaos.stage import TENANT, Stage

LOOK_S, LOOK_PAUSE_S = 6.0, 0.01
STOPPED_S, HOLD_S = 12.0, 3.0

# A backend in the middle of a chunk: it holds row locks for a change, in a transaction of its own.
OPEN_CHUNKS = """
SELECT a.pid, a.application_name FROM pg_stat_activity a
 WHERE a.application_name = ANY(%s) AND a.xact_start IS NOT NULL
   AND a.query ~ 'UPDATE .*(changes_frozenrow|is_deleted)' AND a.state IN ('active', 'idle in transaction')
"""


@dataclass(frozen=True, slots=True)
class Chunk:
    """An open chunk: the backend that holds it and the program on its other end."""

    backend: int
    program: str


class Faults:
    """Draws from the alphabet with a seed of its own; `hits` counts strikes inside an open chunk."""

    def __init__(self, stage: Stage, *, seed: int) -> None:
        self.stage = stage
        self.random = random.Random(f"faults {seed}")
        self.hits = 0
        self.frozen: set[int] = set()
        self.alphabet: dict[str, tuple[int, Callable[[Chunk | None], None]]] = {
            "kill the worker's child": (22, self.kill_child),
            "kill the worker's parent": (10, self.kill_parent),
            "kill the backend": (12, self.kill_backend),
            "terminate the backend": (10, self.terminate_backend),
            "kill the postmaster": (9, self.kill_postmaster),
            "stop a worker for 12 s": (9, self.stop_worker),
            "flush the broker": (9, self.flush_broker),
            "kill the broker": (6, self.kill_broker),
            "send every message many times": (6, self.duplicate_messages),
            "hold locks": (7, self.hold_locks),
        }
        if stage.naive:
            broker = ("flush the broker", "kill the broker", "send every message many times", "kill the worker's child")
            self.alphabet = {name: fault for name, fault in self.alphabet.items() if name not in broker}

    def strike(self) -> tuple[str, bool]:
        """One fault; its name, and whether a chunk was open at that moment."""
        names = list(self.alphabet)
        name = self.random.choices(names, [self.alphabet[n][0] for n in names])[0]
        time.sleep(self.random.uniform(0.05, 0.6))
        chunk = self.look()
        self.alphabet[name][1](chunk)
        self.hits += chunk is not None
        return name, chunk is not None

    def look(self) -> Chunk | None:
        """Wait for an open chunk, then for a random moment inside of it."""
        deadline = time.monotonic() + LOOK_S
        with psycopg.connect(self.stage.admin, autocommit=True) as connection:
            while time.monotonic() < deadline:
                rows = connection.execute(OPEN_CHUNKS, [list(self.stage.programs)]).fetchall()
                if rows:
                    time.sleep(self.random.uniform(0, self.stage.slow_s / 2))
                    still = connection.execute(OPEN_CHUNKS, [list(self.stage.programs)]).fetchall()
                    both = [row for row in rows if row in still]
                    if both:
                        return Chunk(*self.random.choice(both))
                time.sleep(LOOK_PAUSE_S)
        return None

    # -- processes ----------------------------------------------------------------------------------

    def kill_child(self, chunk: Chunk | None) -> None:
        for child in self._children(chunk):
            _signal(child, signal.SIGKILL)

    def kill_parent(self, chunk: Chunk | None) -> None:
        """Only the parent: its child works on as an orphan while a new worker starts."""
        process = self.stage.programs[self._program(chunk)]
        _signal(process.pid, signal.SIGKILL)
        process.wait()
        self.stage.revive()

    def stop_worker(self, chunk: Chunk | None) -> None:
        """A worker that is dead for longer than its lease, and then wakes up where it was."""
        pids = self._children(chunk) or [self.stage.programs[self._program(chunk)].pid]
        pids = [pid for pid in pids if pid not in self.frozen]
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        self.frozen.update(pids)
        threading.Timer(STOPPED_S, self._wake, [pids]).start()

    def _wake(self, pids: list[int]) -> None:
        for pid in pids:
            _signal(pid, signal.SIGCONT)
            self.frozen.discard(pid)

    def wake_all(self) -> None:
        self._wake(list(self.frozen))

    # -- PostgreSQL -----------------------------------------------------------------------------------

    def kill_backend(self, chunk: Chunk | None) -> None:
        """SIGKILL for one backend: the server ends all others and recovers from its log."""
        _signal(chunk.backend if chunk else self._some_backend(), signal.SIGKILL)
        time.sleep(0.1)
        self.stage.wait_for_cluster()

    def terminate_backend(self, chunk: Chunk | None) -> None:
        with psycopg.connect(self.stage.admin, autocommit=True) as connection:
            pid = chunk.backend if chunk else self._some_backend()
            connection.execute("SELECT pg_terminate_backend(%s)", [pid])

    def kill_postmaster(self, chunk: Chunk | None) -> None:
        _signal(self.stage.cluster.pid, signal.SIGKILL)
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

    # -- the broker -----------------------------------------------------------------------------------

    def flush_broker(self, chunk: Chunk | None) -> None:
        with contextlib.suppress(redis.RedisError), self.stage.broker() as client:
            client.flushall()

    def kill_broker(self, chunk: Chunk | None) -> None:
        with self.stage.broker() as client:
            _signal(int(client.info("server")["process_id"]), signal.SIGKILL)
        self.stage.valkey.stop()
        time.sleep(self.random.uniform(0, 2))
        self.stage.valkey.start()

    def duplicate_messages(self, chunk: Chunk | None) -> None:
        """Every change there is, in any order, three times over: those that wait, run and ended long ago."""
        from console.celery import app

        with psycopg.connect(self.stage.admin, autocommit=True) as connection:
            changes = [row[0] for row in connection.execute("SELECT id FROM changes_change ORDER BY id DESC LIMIT 30")]
        messages = changes * 3
        self.random.shuffle(messages)
        with contextlib.suppress(Exception):
            for change in messages:
                app.send_task("changes.work", args=[change, TENANT])

    # -- who --------------------------------------------------------------------------------------------

    def _program(self, chunk: Chunk | None) -> str:
        workers = [name for name in self.stage.programs if name != "beat"]
        return chunk.program if chunk and chunk.program in workers else self.random.choice(workers)

    def _children(self, chunk: Chunk | None) -> list[int]:
        """The worker's child processes."""
        parent = self.stage.programs[self._program(chunk)].pid
        with contextlib.suppress(OSError), open(f"/proc/{parent}/task/{parent}/children") as file:
            return [int(pid) for pid in file.read().split()]
        return []

    def _some_backend(self) -> int:
        with psycopg.connect(self.stage.admin, autocommit=True) as connection:
            row = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE usename = 'custody_app' ORDER BY random() LIMIT 1"
            ).fetchone()
            return int(row[0]) if row else connection.info.backend_pid


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
