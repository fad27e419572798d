"""Users of the shop, at work on the same tables all the time: plain SQL, the application's login, a few rows each.

What they do is what a change must cope with: edits of columns a change writes and of columns it does not, edits that are
taken back, rows that match a selection after it was frozen, single rows brought back by hand. Now and then the owner
writes many rows at once, says why, and removes some for good.
"""

from __future__ import annotations

import json
import random
import threading
import time

import psycopg

from chaos.checker import Heard
from chaos.data import CONTEXT, TAG_BATCHES
from chaos.stage import TENANT

USERS = 2_000  # the last guard weighs what each of them writes within ten minutes
MASS = 250
TABLES = {"shop_order": "note", "shop_orderitem": "product", "shop_usertag": "tag", "shop_behaviourlog": "action"}


class Traffic(threading.Thread):
    """Ends when `stopping` is set; a lost connection is a lost transaction, and then it goes on."""

    def __init__(self, app: str, owner: str, heard: Heard, *, seed: int, pause_s: float = 0.02) -> None:
        super().__init__(name="traffic", daemon=True)
        self.app, self.owner, self.heard, self.pause_s = app, owner, heard, pause_s
        self.random = random.Random(f"traffic {seed}")
        self.stopping = threading.Event()
        self.written = self.failed = 0
        self._last: dict[str, int] = {}

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                with psycopg.connect(self.app, autocommit=True, application_name="traffic") as connection:
                    self._last = {table: self._highest(connection, table) for table in TABLES}
                    while not self.stopping.is_set():
                        self._write(connection)
                        time.sleep(self.pause_s)
            except psycopg.Error:
                self.failed += 1
                time.sleep(0.2)

    def _highest(self, connection: psycopg.Connection, table: str) -> int:
        with connection.transaction():
            connection.execute(CONTEXT, [self._user(), str(TENANT)])
            row = connection.execute(f"SELECT coalesce(max(id), 1) FROM {table}").fetchone()
            return int(row[0]) if row else 1

    def _write(self, connection: psycopg.Connection) -> None:
        if self.random.random() < 0.004:
            self._mass_write()
            return
        table, column = self.random.choice(list(TABLES.items()))
        ids = [self.random.randint(1, self._last[table]) for _ in range(self.random.randint(1, 3))]
        deed = self.random.choice((self._edit, self._touch, self._there_and_back, self._bring_back, self._add))
        try:
            deed(connection, table, column, ids)
            self.written += 1
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected, psycopg.errors.UniqueViolation):
            self.failed += 1

    def _run(self, connection: psycopg.Connection, statement: str, *values: object) -> None:
        """One transaction; what was committed and said so is written down."""
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '500ms'")
            connection.execute(CONTEXT, [self._user(), str(TENANT)])
            done = connection.execute(statement, values)  # type: ignore[call-overload]
            xid = connection.execute("SELECT pg_current_xact_id()::text").fetchone()
        if done.rowcount and xid:
            self.heard.writes.append(xid[0])

    def _user(self) -> str:
        number = 1_000 + self.random.randrange(USERS)
        return json.dumps({"user": number, "person": number, "name": "Shop user", "tenant": TENANT, "channel": "shop"})

    def _mass_write(self) -> None:
        """Above the row limit, as only the owner may and only with a reason."""
        first = self.random.randint(1, self._last["shop_usertag"])
        statement = self.random.choice(
            (
                "DELETE FROM shop_usertag WHERE id BETWEEN %s AND %s",
                "UPDATE shop_usertag SET weight = 7 WHERE id BETWEEN %s AND %s",
            )
        )
        with (
            psycopg.connect(self.owner, autocommit=True, application_name="nightly job") as connection,
            connection.transaction(),
        ):
            connection.execute("SET LOCAL lock_timeout = '500ms'")
            connection.execute("SET LOCAL custody.mass_write = 'nightly job'")
            connection.execute(CONTEXT, [self._user(), str(TENANT)])
            connection.execute(statement, [first, first + self.random.choice((20, MASS))])  # type: ignore[call-overload]

    def _edit(self, connection: psycopg.Connection, table: str, column: str, ids: list[int]) -> None:
        suffix = column if column != "action" else "payload"
        value = "jsonb_build_object('edited', random())" if suffix == "payload" else f"left({suffix} || '.', 60)"
        self._run(connection, f"UPDATE {table} SET {suffix} = {value} WHERE id = ANY(%s)", ids)

    def _touch(self, connection: psycopg.Connection, table: str, column: str, ids: list[int]) -> None:
        self._run(connection, f"UPDATE {table} SET status = 'held' WHERE id = ANY(%s) AND NOT is_deleted", ids[:1])

    def _there_and_back(self, connection: psycopg.Connection, table: str, column: str, ids: list[int]) -> None:
        for suffix in ("status || '!'", "rtrim(status, '!')"):
            self._run(connection, f"UPDATE {table} SET status = {suffix} WHERE id = ANY(%s) AND NOT is_deleted", ids)

    def _bring_back(self, connection: psycopg.Connection, table: str, column: str, ids: list[int]) -> None:
        self._run(
            connection,
            f"UPDATE {table} SET is_deleted = false, deleted_at = NULL, status = 'active' WHERE id = ANY(%s) AND is_deleted",
            ids[:1],
        )

    def _add(self, connection: psycopg.Connection, table: str, column: str, ids: list[int]) -> None:
        """Rows that match selections frozen long ago."""
        self._run(
            connection,
            "INSERT INTO shop_usertag (tenant_id, customer_id, tag, weight, source) "
            "SELECT tenant_id, id, 'late', 1, %s FROM shop_customer ORDER BY id LIMIT 2",
            f"t{self.random.randrange(TAG_BATCHES)}",
        )
