"""The other program: threads that write plain SQL until told to stop, and remember every wait and error."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

STATEMENTS = (
    "UPDATE store.customer SET visits = visits + 1 WHERE id = 1 + {n} % 500",
    "UPDATE store.sale SET total = total + 0.01 WHERE id BETWEEN {n} AND {n} + 3",
    "INSERT INTO store.line VALUES ({n}, 3, 1) ON CONFLICT (sale_id, number) DO UPDATE SET amount = store.line.amount + 1",
    "DELETE FROM store.line WHERE sale_id = {n} AND number = 3",
    "INSERT INTO store.customer (id, name) VALUES ({fresh}, 'New')",
)
# Nothing new under rows that a change has frozen: that would rightly stop it.
WITHOUT_LINES = (STATEMENTS[0], STATEMENTS[1], STATEMENTS[4])


class Program:
    """Writers on schema store."""

    def __init__(self, url: str, writers: int, statements: tuple[str, ...]) -> None:
        self.url = url
        self.repertoire = statements
        self.stopped = threading.Event()
        self.waits: list[float] = []
        self.errors: list[str] = []
        self.threads = [threading.Thread(target=self._write, args=(n,)) for n in range(writers)]

    def _write(self, seed: int) -> None:
        chance = random.Random(seed)
        fresh = 100_000 * (seed + 1)
        with psycopg.connect(self.url, autocommit=True) as connection:
            while not self.stopped.is_set():
                fresh += 1
                statement = chance.choice(self.repertoire).format(n=chance.randrange(1, 3_900), fresh=fresh)
                started = time.monotonic()
                try:
                    connection.execute(statement)
                except psycopg.Error as error:
                    self.errors.append(f"{statement}: {error}")
                self.waits.append(time.monotonic() - started)
                self.stopped.wait(0.001)

    @property
    def statements(self) -> int:
        return len(self.waits)

    def wait_for(self, statements: int) -> None:
        """Until the program has done that many more."""
        goal, deadline = self.statements + statements, time.monotonic() + 60
        while self.statements < goal:
            assert time.monotonic() < deadline, f"the program stands still: {self.errors[-3:]}"
            self.stopped.wait(0.01)


@contextmanager
def running(url: str, *, writers: int = 3, statements: tuple[str, ...] = STATEMENTS) -> Iterator[Any]:
    """The program at work during the block."""
    program = Program(url, writers, statements)
    for thread in program.threads:
        thread.start()
    try:
        program.wait_for(20)
        yield program
    finally:
        program.stopped.set()
        for thread in program.threads:
            thread.join()
