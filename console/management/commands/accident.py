"""`manage.py accident`: lose 3.27 million rows in every way the article knows, then in the only way there is."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.actors import actor_for
from approvals.errors import SelfApproval
from approvals.models import Ticket
from changes.models import Change
from console.accident import attempts, recovery
from console.accident.attempts import Refusal
from console.embedded.environment import PROJECT
from foundation.actor import Actor
from foundation.context import acting
from foundation.errors import Denied

ARTICLE_ROWS, ARTICLE_SECONDS = 3_270_000, 87 * 60
TENANT = 1


class Command(BaseCommand):
    help = "Replay the accident on demo data: what is refused by whom, what becomes a ticket, and the way back."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--scale", choices=("accident", "medium", "small"), default="accident")

    def handle(self, *args: Any, **options: Any) -> None:
        self._load(options["scale"])
        users = recovery.people()
        operator, first, second = (actor_for(users[name]) for name in ("operator", "approver", "approver2"))
        before = recovery.state(operator)
        self._say(f"{before.living:,} living user tags of tenant {TENANT}, checksum {before.checksum}")
        self._losing(users["operator"], operator)
        if recovery.state(operator) != before:
            raise CommandError("Rows changed although everything was refused.")
        self._say("After all of this every row is as it was: the same checksum.")
        with recovery.worker():
            self._governed(users, operator, (first, second), before)

    def _load(self, scale: str) -> None:
        self._head("Before", f"demo data, scale {scale}")
        subprocess.run(
            [sys.executable, "manage.py", "demo", "--scale", scale],
            cwd=PROJECT,
            env=os.environ | {"CUSTODY_DB_LOGIN": "owner"},
            check=True,
        )
        call_command("demo_logins", stdout=StringIO())

    def _losing(self, user: Any, operator: Actor) -> None:
        self._head("1. The slip", "a DELETE without its WHERE, in every way there is")
        found = [*attempts.by_sql(TENANT), *attempts.by_orm(operator), attempts.by_api(user)]
        for refusal in found:
            self._show(refusal)
        if not all(refusal.stopped for refusal in found):
            raise CommandError("Something got through.")

    def _governed(self, users: dict[str, Any], operator: Actor, approvers: tuple[Actor, ...], before: Any) -> None:
        self._head("2. The request", "the same wish, asked for")
        began = time.monotonic()
        status, body = attempts.ask_by_api(users["operator"])
        if status not in (200, 201, 202):
            raise CommandError(f"The API answered {status}: {body}")
        with acting(operator):
            change = Change.objects.latest("id")
            ticket = Ticket.objects.filter(change=change).first()
        self._say(
            f"POST /api/v1/changes/ answered {status} in {time.monotonic() - began:.1f} s: {change.rows_total:,} rows frozen."
        )
        if ticket is None:
            raise CommandError("No ticket was opened: is the scale under the threshold?")
        people = "another person" if ticket.required == 1 else f"{ticket.required} other persons"
        self._say(f"Nothing is deleted. Ticket T-{ticket.pk} waits for the approval of {people}.")
        self._own_vote(ticket, operator)
        deleted = self._decide_and_run("3. The deletion, approved", change, ticket, operator, approvers)
        gone = recovery.state(operator)
        self._say(f"{gone.living:,} living tags are left, {gone.rows:,} rows are still in the table.")
        began = time.monotonic()
        outcome = recovery.ask_to_undo(change.pk, operator)
        if outcome.ticket is None:
            raise CommandError("The undo needed no ticket.")
        self._decide_and_run("4. The way back", outcome.change, outcome.ticket, operator, approvers)
        back = time.monotonic() - began
        self._verdict(before, recovery.state(operator), deleted, back)

    def _own_vote(self, ticket: Ticket, operator: Actor) -> None:
        promoted = Actor(
            kind="user", name=operator.name, user_id=operator.user_id, person_id=operator.person_id,
            tenant_id=operator.tenant_id, roles=operator.roles | {"approver"},
        )  # fmt: skip
        for actor, who in ((operator, "The requester"), (promoted, "The requester, made an approver as well,")):
            try:
                recovery.approve(ticket.pk, actor)
            except (Denied, SelfApproval) as refused:
                self._say(f"{who} votes: refused. “{refused}”")
            else:
                raise CommandError("The requester could vote.")

    def _decide_and_run(
        self, title: str, change: Change, ticket: Ticket, operator: Actor, approvers: tuple[Actor, ...]
    ) -> float:
        self._head(title, f"{change.rows_total:,} rows, ticket T-{ticket.pk}, fingerprint {change.digest[:16]}")
        for approver in approvers[: ticket.required]:
            recovery.approve(ticket.pk, approver)
            self._say(f"{approver.name} approves.")
        began = time.monotonic()
        ended = recovery.run(change.pk, operator, show=self._progress)
        self._progress("")
        taken = time.monotonic() - began
        if ended.state != "done":
            raise CommandError(f"The run ended {ended.state}: {ended.error}")
        told = ended.verification or {}
        self._say(
            f"Done in {taken:.1f} s. Rows changed {told['applied']:,} = rows of history {told['history_rows']:,} "
            f"= rows counted by events {told['event_rows']:,}."
        )
        return taken

    def _verdict(self, before: Any, after: Any, deleted: float, back: float) -> None:
        self._head("Afterwards", "")
        if after != before:
            raise CommandError(f"Not every row is back: {before} was, {after} is.")
        self._say(f"{after.living:,} living user tags, checksum {after.checksum}: every row is back, bit by bit.")
        self._say(f"Deleted in {deleted:.0f} s; asked, approved and brought back in {back:.0f} s.")
        self._say(
            f"The article's {ARTICLE_ROWS:,} rows took 87 minutes to come back. Here it was {after.living:,} rows in "
            f"{back / 60:.1f} minutes"
            + (f", {ARTICLE_SECONDS / back:.0f} times faster." if after.living >= ARTICLE_ROWS else ".")
        )

    def _head(self, title: str, about: str) -> None:
        self.stdout.write("\n" + self.style.MIGRATE_HEADING(title) + (f": {about}" if about else ""))

    def _say(self, line: str) -> None:
        self.stdout.write(textwrap.fill(line, 100, initial_indent="  ", subsequent_indent="  "))
        self.stdout.flush()

    def _show(self, refusal: Refusal) -> None:
        word = "refused" if refusal.refused else "no rows"
        mark = self.style.SUCCESS(word) if refusal.stopped else self.style.ERROR("DONE   ")
        self.stdout.write(f"  {mark}  {refusal.what}")
        self.stdout.write(f"           by {refusal.by}, after {refusal.seconds:.2f} s")
        said = textwrap.shorten(refusal.said, 180, placeholder=" …")
        self.stdout.write(textwrap.fill(f"“{said}”", 100, initial_indent=" " * 11, subsequent_indent=" " * 11))
        self.stdout.flush()

    def _progress(self, line: str) -> None:
        """One line that is written over, on a terminal only."""
        if self.stdout.isatty():
            self.stdout.write(f"\r  {line:60}", ending="\r" if not line else "")
            self.stdout.flush()
