"""The governed way: a ticket, two approvers, a run by real workers, its undo; and the proof that it was whole."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from celery import current_app
from django.db import connection

from access import proofs
from approvals import decisions, gate
from approvals.models import Ticket
from changes import execution
from changes.models import Change
from changes.progress import progress
from console.embedded.environment import PROJECT
from foundation.actor import Actor
from foundation.context import acting

ENDED = ("done", "cancelled", "failed", "refused")
# Independent of order, over every column: two sums of differently seeded 64-bit hashes.
CHECKSUM = """
SELECT count(*), count(*) FILTER (WHERE NOT is_deleted),
  sum(hashtextextended(t::text, 1)::numeric), sum(hashtextextended(t::text, 2)::numeric) FROM shop_usertag t
"""


@dataclass(frozen=True, slots=True)
class State:
    """All rows of the table in four numbers."""

    rows: int
    living: int
    first: int
    second: int

    @property
    def checksum(self) -> str:
        return f"{self.first % 2**64:016x}{self.second % 2**64:016x}"


def state(actor: Actor) -> State:
    """The tenant's rows as they are now."""
    with acting(actor), connection.cursor() as cursor:
        cursor.execute(CHECKSUM)
        rows, living, first, second = cursor.fetchone()
    return State(rows, living, int(first or 0), int(second or 0))


def approve(ticket_id: int, approver: Actor) -> Ticket:
    with acting(approver, channel="command"):
        ticket = Ticket.objects.get(pk=ticket_id)
        proofs.record(approver, "password", meant="drill")  # the drill plays the person, and says so
        return decisions.vote(ticket_id, actor=approver, decision="approve", digest=ticket.digest)


def run(change_id: int, operator: Actor, *, show: Callable[[str], None]) -> Change:
    """Start it and watch until it has ended."""
    with acting(operator, channel="command"):
        change = execution.start(change_id, actor=operator)
        while change.state not in ENDED:
            time.sleep(0.2)
            change.refresh_from_db()
            now = progress(change)
            show(f"{now.percent:3d} %  {now.done:>9,} of {now.total:,} rows")
    return change


def ask_to_undo(change_id: int, operator: Actor) -> gate.Outcome:
    with acting(operator, channel="command"):
        return gate.request_undo(change_id, actor=operator, reason="It was the wrong table: bring the tags back")


@contextmanager
def worker() -> Iterator[bool]:
    """A Celery worker for the block, unless one answers already. Yields whether it is ours."""
    if current_app.control.ping(timeout=1.0):
        yield False
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "console.celery", "worker", "--concurrency=2", "--loglevel=ERROR"],
        cwd=PROJECT,
        env=os.environ | {"CUSTODY_DB_LOGIN": "app"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not current_app.control.ping(timeout=0.5):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("The Celery worker did not start.")
        yield True
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def people() -> dict[str, Any]:
    """The demo logins that play, by username."""
    from django.contrib.auth import get_user_model

    names = ("operator", "approver", "approver2")
    return {user.get_username(): user for user in get_user_model().objects.filter(username__in=names)}
