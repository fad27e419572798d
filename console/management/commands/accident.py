"""`manage.py accident`: the accident Custody was built for, typed again by every way in, and mended.

Uses the application's login throughout. Needs demo data and logins; makes what is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from access.actors import actor_for
from access.models import Account
from approvals import decisions, gate
from approvals.models import Ticket
from audit import registry
from changes import execution
from changes.models import Change
from changes.progress import progress
from changes.states import ACTIVE, State
from foundation.actor import Actor
from foundation.context import acting
from foundation.errors import CustodyError

ENTITY = "shop.usertag"
TABLE = "shop_usertag"
ARTICLE_MINUTES = 87
CHECKSUM = f"SELECT count(*), md5(string_agg(md5(t::text), '' ORDER BY id)) FROM {TABLE} t"
# psql as somebody would open it, with the tenant that the application would have set.
TENANT = "SELECT set_config('custody.tenant', '{}', false);"
SLIPS = (
    ("DELETE without WHERE", f"DELETE FROM {TABLE}"),
    ("TRUNCATE", f"TRUNCATE {TABLE}"),
    ("UPDATE of every row", f"UPDATE {TABLE} SET is_deleted = true"),
)


class Command(BaseCommand):
    help = "Replay the accident on demo data, by every way in, then ask, approve, run, verify and undo."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--scale", choices=("small", "medium", "accident"), default="accident")

    def handle(self, *args: Any, **options: Any) -> None:
        self._prepare(options["scale"])
        people = [self._actor(name) for name in ("operator", "approver", "approver2")]
        operator, voters = people[0], people[1:]
        with acting(operator, channel="shell"):
            before = self._checksum()
        self._say(f"\n{before[0]:,} user tags of {operator.name}'s tenant. Checksum {before[1]}\n")
        with _worker():
            self._slips(operator)
            self._by_orm(operator)
            change = self._by_api(operator)
            deleting = self._through(change, operator, voters)
            undoing = self._undo(change, operator, voters)
        self._conclude(operator, before, deleting, undoing)

    # -- the ways in --------------------------------------------------------------------------------

    def _slips(self, operator: Actor) -> None:
        for title, sql in SLIPS:
            answer = _as_psql(TENANT.format(operator.tenant), sql)
            if answer is None:
                raise CommandError(f"{title} went through: the guard is gone")
            self._answer(f"psql, application login: {title}", _refuser(answer), answer)

    def _by_orm(self, operator: Actor) -> None:
        model: Any = registry.entity(ENTITY)
        try:
            with acting(operator, channel="shell", reason="cleaning up old user tags"):
                model.objects.all().delete()
        except CustodyError as refusal:
            self._answer("Django ORM: UserTag.objects.all().delete()", "the gate", str(refusal))
            return
        raise CommandError("the ORM deleted everything: the gate is gone")

    def _by_api(self, operator: Actor) -> Change:
        token, _ = Token.objects.get_or_create(user=get_user_model().objects.get(pk=operator.user_id or 0))
        client = APIClient(SERVER_NAME="localhost", HTTP_AUTHORIZATION=f"Token {token.key}")
        body = {
            "entity": ENTITY,
            "operation": "delete",
            "selection": {"where": [{"field": "id", "op": "gt", "value": 0}]},
            "reason": "cleaning up old user tags",
        }
        began = time.monotonic()
        response = client.post("/api/v1/changes/", body, format="json")
        if response.status_code not in (201, 202):
            raise CommandError(f"the API answered {response.status_code}: {response.content[:300]!r}")
        with acting(operator, channel="shell"):
            change = Change.objects.latest("pk")
            ticket = Ticket.objects.get(change=change)
        frozen = f"frozen in {time.monotonic() - began:.1f} s"
        self._answer(
            "API: POST /api/v1/changes/ over all of them",
            "the gate",
            f"became ticket T-{ticket.pk}: {change.rows_total:,} rows, {ticket.required} approvals needed, {frozen}",
        )
        return change

    # -- the governed way ---------------------------------------------------------------------------

    def _through(self, change: Change, operator: Actor, voters: list[Actor]) -> float:
        """Approve, start, wait until it is verified; seconds of the run."""
        with acting(operator, channel="shell"):
            ticket = Ticket.objects.filter(change=change).first()
        for voter in voters[: ticket.required if ticket else 0]:
            assert ticket is not None
            with acting(voter, channel="shell"):
                decisions.vote(ticket.pk, actor=voter, decision="approve", digest=ticket.digest)
            self._say(f"  {voter.name} approves T-{ticket.pk}")
        began = time.monotonic()
        with acting(operator, channel="shell"):
            change.refresh_from_db()
            if change.state == State.CLEARED:
                execution.start(change.pk, actor=operator)
                change.refresh_from_db()
            self._wait(change)
        seconds = time.monotonic() - began
        if change.state != State.DONE:
            raise CommandError(f"change {change.pk} ended {change.state}: {change.error}")
        self._say(f"  done in {seconds:.1f} s, verified: {change.verification}\n")
        return seconds

    def _undo(self, change: Change, operator: Actor, voters: list[Actor]) -> float:
        began = time.monotonic()
        with acting(operator, channel="shell"):
            outcome = gate.request_undo(change.pk, actor=operator, reason="this was the accident, bring it back")
        planned = time.monotonic() - began
        self._say(f"Undo of C-{change.pk}: {outcome.change.rows_total:,} rows, planned in {planned:.1f} s")
        return planned + self._through(outcome.change, operator, voters)

    def _wait(self, change: Change) -> None:
        shown = -10
        while change.state in ACTIVE:
            time.sleep(0.5)
            change.refresh_from_db()
            now = progress(change)
            if now.percent >= shown + 10:
                shown = now.percent
                self._say(f"  {now.done:,} / {now.total:,} ({now.percent} %)")

    def _conclude(self, operator: Actor, before: tuple[int, str], deleting: float, undoing: float) -> None:
        with acting(operator, channel="shell"):
            after = self._checksum()
        if after != before:
            raise CommandError(f"the rows are not what they were: {after}")
        self._say(f"Every row is back: {after[0]:,}, checksum {after[1]} as before.")
        self._say(
            f"Deleted in {deleting:.0f} s, brought back in {undoing:.0f} s, planning included. "
            f"The article's accident took {ARTICLE_MINUTES} minutes to mend."
        )

    # -- the ground ---------------------------------------------------------------------------------

    def _prepare(self, scale: str) -> None:
        for arguments in (["demo", "--scale", scale], ["demo_logins"]):
            if arguments[0] == "demo_logins" and Account.objects.exists():
                continue
            owner = {"CUSTODY_DB_LOGIN": "owner"} if arguments[0] == "demo" else {}
            done = subprocess.run(
                [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments], env=os.environ | owner, check=False
            )
            if done.returncode:
                raise CommandError(f"manage.py {' '.join(arguments)} failed")

    def _actor(self, username: str) -> Actor:
        user = get_user_model().objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"there is no login {username}: run manage.py demo_logins")
        return actor_for(user)

    def _checksum(self) -> tuple[int, str]:
        with connection.cursor() as cursor:
            cursor.execute(CHECKSUM)
            count, digest = cursor.fetchone()
        return count, digest

    def _answer(self, attempt: str, by: str, words: str) -> None:
        self._say(f"{attempt}\n    -> {by}: {words}\n")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _refuser(message: str) -> str:
    return "row limit" if "need an approved change" in message else "privileges"


def _as_psql(tenant: str, sql: str) -> str | None:
    """Run what somebody typed, in psql where there is one; the error's first line, None if it went through."""
    address = os.environ["DATABASE_URL"]
    psql = shutil.which("psql")
    if psql is None:
        with psycopg.connect(address, autocommit=True) as session:
            session.execute(tenant)
            try:
                session.execute(sql)
            except psycopg.Error as error:
                return str(error).splitlines()[0]
        return None
    done = subprocess.run(
        [psql, "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", address, "-c", tenant, "-c", sql],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.stderr.splitlines()[0].removeprefix("ERROR:").strip() if done.returncode else None


@contextmanager
def _worker() -> Iterator[None]:
    """A Celery worker of our own, beside any that runs already."""
    command = [sys.executable, "-m", "celery", "-A", "console.celery", "worker", "--concurrency", "2"]
    quiet = ["--loglevel", "error", "--without-gossip", "--without-mingle", "--hostname", f"accident{os.getpid()}@%h"]
    process = subprocess.Popen([*command, *quiet], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
