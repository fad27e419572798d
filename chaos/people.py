"""People who ask, agree, start, stop, undo and tidy up without a pause, through the product's own verbs."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from typing import Any

import psycopg

from chaos import asking
from chaos.asking import PLANS, Case
from chaos.checker import Checker
from chaos.data import selections
from chaos.stage import TENANT

LIMIT = 6
PATIENCE = 25  # times a case is refused before people let it be
ENDED = ("done", "cancelled", "refused")
WATCH = {"percent": 5, "watch_s": 1}


def _actor(number: int, name: str, *roles: str) -> Any:
    from foundation.actor import Actor

    return Actor(kind="user", user_id=number, person_id=number, name=name, tenant_id=TENANT, roles=frozenset(roles))


class People(threading.Thread):
    """Takes one step of one case at a time; a step that fails is tried again, under the same request key."""

    def __init__(self, checker: Checker, *, seed: int, naive: bool = False) -> None:
        super().__init__(name="people", daemon=True)
        self.checker, self.naive = checker, naive
        self.random = random.Random(f"people {seed}")
        self.idle = [Case(entity, selection) for entity, selection in selections()]
        self.busy: list[Case] = []
        self.winding_up, self.stopping = threading.Event(), threading.Event()
        self.counts: Counter[str] = Counter()
        self.unexpected: list[str] = []

    def run(self) -> None:
        from django.db import Error, connection

        while not self.stopping.is_set():
            try:
                self._round()
            except (Error, psycopg.Error):  # the checker's own connection is lost with all others
                self.counts["database gone"] += 1
                connection.close()
            except Exception as error:  # whatever it is, it is part of the result
                self.unexpected.append(f"{type(error).__name__}: {error}")
            time.sleep(0.02)
        connection.close()

    def _round(self) -> None:
        from foundation.context import acting
        from foundation.errors import CustodyError

        if len(self.busy) < LIMIT and self.idle and not self.winding_up.is_set():
            case = self.idle.pop(self.random.randrange(len(self.idle)))
            case.begin(self._plan(case))
            self.busy.append(case)
        for case in list(self.busy):
            try:
                with acting(_operator(), channel="chaos"):
                    self._step(case)
            except CustodyError as error:
                self.counts[f"refused {error.code}"] += 1
                self._refused(case)

    def _plan(self, case: Case) -> tuple[str, ...]:
        if self.naive:
            return ("delete",)
        if case.empty:
            case.empty = False
            return ("restore",)
        weights, plans = zip(*PLANS[case.entity], strict=True)
        return self.random.choices(plans, weights)[0]

    def _step(self, case: Case) -> None:
        from changes.models import Change

        if case.change is None:
            self._ask(case)
            return
        change = Change.objects.get(pk=case.change)
        if change.state == "waiting":
            self._agree(change)
        elif change.state in ("cleared", "paused"):
            self._start(case, change)
        elif change.state == "failed":
            self._continue(case, change)
        elif change.state == "running" and self.random.random() < 0.001:
            self._disturb(change)
        elif change.state in ENDED:
            self._ended(case, change)

    # -- one step each ------------------------------------------------------------------------------

    def _ask(self, case: Case) -> None:
        from changes.errors import EmptySelection, NothingDue, NothingToUndo

        if case.step == "snapshot":
            asking.take_snapshot(case, _operator())
            case.goes_on()
            return
        canary = None
        if case.step in ("delete", "update") and not self.naive and case.key.int % 10 == 0:
            canary = {**WATCH, "on_trouble": ("go_on", "pause", "take_back")[case.key.int % 3]}
        try:
            outcome = asking.ask(case, _operator(), canary)
            if outcome is not None and self.random.random() < 0.2:
                self._ask_again(case, outcome, canary)
        except (EmptySelection, NothingDue, NothingToUndo) as error:
            case.empty = isinstance(error, EmptySelection) and case.step == "delete"
            outcome = None
        if outcome is None:
            self._rest(case)
            return
        case.change = outcome.change.pk
        self.checker.heard.changes.add(outcome.change.pk)
        self.counts[f"asked {case.step}"] += 1

    def _ask_again(self, case: Case, first: Any, canary: Any) -> None:
        """The same request under the same key: the same answer."""
        again = asking.ask(case, _operator(), canary)
        self.counts["asked twice"] += 1
        if again is not None and again.change.pk != first.change.pk:
            self.checker.heard.answers.append(f"{case.key}: {first.change.pk} and {again.change.pk}")

    def _agree(self, change: Any) -> None:
        from access import proofs
        from approvals import decisions
        from approvals.errors import AlreadyVoted
        from approvals.models import Ticket
        from foundation.context import acting

        ticket = Ticket.objects.get(change_id=change.pk)
        for number in range(ticket.required):
            voter = _actor(200 + number, f"Approver {number}", "approver")
            try:
                with acting(voter, channel="chaos"):
                    proofs.record(voter, "password", meant="ticket.vote")
                    decisions.vote(ticket.pk, actor=voter, decision="approve", digest=ticket.digest)
                self.checker.heard.votes.add((ticket.pk, voter.person_id))
            except AlreadyVoted:
                continue

    def _start(self, case: Case, change: Any) -> None:
        """Start, or let go on what has paused and asks: a table that has changed, a trial, a person."""
        from approvals import starting
        from changes.errors import ColumnsMissing, NewDependants, SchemaMoved, TooMuchDrift

        if change.state == "cleared" and change.operation in ("delete", "update", "import"):
            self.checker.remember(change.pk)
        self.counts["resumed" if change.state == "paused" else "started"] += 1
        try:
            starting.start(change.pk, actor=_operator())
            self.checker.heard.starts.add(change.pk)
        except (NewDependants, SchemaMoved, TooMuchDrift, ColumnsMissing) as error:
            self.counts[f"refused {error.code}"] += 1
            self._call_off(change)

    def _call_off(self, change: Any) -> None:
        from changes import execution

        if change.state == "cleared":
            execution.discard(change.pk, actor=_operator())
        elif change.state == "paused":
            execution.cancel(change.pk, actor=_operator())

    def _continue(self, case: Case, change: Any) -> None:
        from changes import execution

        self.counts[f"failed {change.operation}"] += 1
        if not execution.can_start(change):
            self.checker.heard.answers.append(f"change {change.pk} could not be verified: {change.verification}")
            self._rest(case)
            return
        execution.start(change.pk, actor=_operator())
        self.counts["continued"] += 1

    def _disturb(self, change: Any) -> None:
        from changes import execution

        deed = execution.cancel if self.random.random() < 0.4 else execution.pause
        deed(change.pk, actor=_operator())
        self.counts[f"{deed.__name__} pressed"] += 1

    def _ended(self, case: Case, change: Any) -> None:
        self.counts[f"{change.operation} {change.state}"] += 1
        if change.state == "refused" or self.winding_up.is_set() or not case.goes_on():
            self._rest(case)

    def _refused(self, case: Case) -> None:
        """A case that is refused again and again is left as it is, where a person has to look."""
        case.refusals += 1
        if case.refusals >= PATIENCE and case in self.busy:
            self.counts[f"given up {case.step}"] += 1
            self._rest(case)

    def _rest(self, case: Case) -> None:
        self.busy.remove(case)
        if not self.naive:
            self.idle.append(case)


def _operator() -> Any:
    return _actor(100, "Operator", "operator", "engineer")
