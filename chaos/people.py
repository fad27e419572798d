"""People who ask, agree, start, stop and undo without a pause, through the product's own verbs."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from chaos.checker import Checker
from chaos.data import selections
from chaos.stage import TENANT

LIMIT = 5
REASON = "chaos asked for this"
ENDED = ("done", "cancelled", "refused")


def _actor(number: int, name: str, *roles: str) -> Any:
    from foundation.actor import Actor

    return Actor(kind="user", user_id=number, person_id=number, name=name, tenant_id=TENANT, roles=frozenset(roles))


@dataclass(slots=True)
class Case:
    """One batch on its way: asked, agreed, started, ended, undone, and round again."""

    entity: str
    selection: dict[str, Any]
    key: uuid.UUID = field(default_factory=uuid.uuid4)
    undo_key: uuid.UUID = field(default_factory=uuid.uuid4)
    change: int | None = None
    undo: int | None = None
    leave: bool = False


class People(threading.Thread):
    """Takes one step of one case at a time; a step that fails is tried again, under the same request key."""

    def __init__(self, checker: Checker, *, seed: int, undo: bool = True) -> None:
        super().__init__(name="people", daemon=True)
        self.checker, self.undo_too = checker, undo
        self.random = random.Random(f"people {seed}")
        self.idle = [Case(entity, selection) for entity, selection in selections()]
        self.busy: list[Case] = []
        self.winding_up, self.stopping = threading.Event(), threading.Event()
        self.counts: Counter[str] = Counter()
        self.unexpected: list[str] = []

    def run(self) -> None:
        from django.db import Error, connection

        from foundation.errors import CustodyError

        while not self.stopping.is_set():
            try:
                self._round()
            except CustodyError as error:
                self.counts[f"refused {error.code}"] += 1
            except Error:
                self.counts["database gone"] += 1
                connection.close()
            except Exception as error:  # whatever it is, it is part of the result
                self.unexpected.append(f"{type(error).__name__}: {error}")
            time.sleep(0.02)
        connection.close()

    def _round(self) -> None:
        from foundation.context import acting

        if len(self.busy) < LIMIT and self.idle and not self.winding_up.is_set():
            case = self.idle.pop(self.random.randrange(len(self.idle)))
            case.key, case.undo_key, case.change, case.undo = uuid.uuid4(), uuid.uuid4(), None, None
            case.leave = self.random.random() < 0.15
            self.busy.append(case)
        for case in list(self.busy):
            with acting(_operator(), channel="chaos"):
                self._step(case)

    def _step(self, case: Case) -> None:
        from changes.models import Change

        if case.change is None:
            self._ask(case)
            return
        change = Change.objects.get(pk=case.undo or case.change)
        if change.state == "waiting":
            self._agree(change)
        elif change.state == "cleared":
            self._start(case, change)
        elif change.state == "failed":
            self._continue(change)
        elif change.state == "running" and self.random.random() < 0.002:
            self._cancel(change)
        elif change.state in ENDED:
            self._ended(case, change)

    def _ask(self, case: Case) -> None:
        from approvals import gate
        from changes.errors import EmptySelection

        try:
            outcome = gate.request(
                _operator(),
                entity=case.entity,
                operation="delete",
                selection=case.selection,
                reason=REASON,
                request_key=case.key,
            )
        except EmptySelection:
            self._rest(case)
            return
        case.change = outcome.change.pk
        self.checker.acknowledged.add(outcome.change.pk)
        self.counts["asked"] += 1

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
            except AlreadyVoted:
                continue

    def _start(self, case: Case, change: Any) -> None:
        from changes import execution
        from changes.errors import NewDependants

        if case.undo is None:
            self.checker.remember(change.pk)
        try:
            execution.start(change.pk, actor=_operator())
            self.counts["started"] += 1
        except NewDependants:
            self.counts["refused new_dependants"] += 1
            self._rest(case)

    def _continue(self, change: Any) -> None:
        from changes import execution

        execution.start(change.pk, actor=_operator())
        self.counts["continued"] += 1

    def _cancel(self, change: Any) -> None:
        from changes import execution

        execution.cancel(change.pk, actor=_operator())
        self.counts["stopped"] += 1

    def _ended(self, case: Case, change: Any) -> None:
        from approvals import gate
        from changes.errors import EmptySelection, NothingToUndo

        self.counts[f"{change.operation} {change.state}"] += 1
        if case.undo is not None or not self.undo_too or change.state == "refused" or case.leave:
            self._rest(case)
            return
        try:
            outcome = gate.request_undo(change.pk, actor=_operator(), reason=REASON, request_key=case.undo_key)
        except (EmptySelection, NothingToUndo):
            self._rest(case)
            return
        case.undo = outcome.change.pk
        self.checker.acknowledged.add(outcome.change.pk)

    def _rest(self, case: Case) -> None:
        self.busy.remove(case)
        if self.undo_too:
            self.idle.append(case)


def _operator() -> Any:
    return _actor(100, "Operator", "operator")
