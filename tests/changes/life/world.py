"""A tenant of its own for one run of the machine, the people in it, and the steps they take with our own verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.db import connection

from approvals import decisions, gate, starting, tickets
from approvals.models import Ticket
from changes import chunks, execution, lanes
from changes.models import Change, Lane
from foundation import context
from foundation.actor import Actor
from foundation.context import acting
from tests.changes.life.checks import Checks
from tests.changes.life.eyes import Eyes
from tests.changes.life.oracle import Oracle

REASON = "nobody needs these any more"


class Killed(BaseException):
    """A worker is gone in the middle of what it did; nothing of ours may catch it."""


@dataclass(slots=True)
class KillAt:
    """An execute wrapper: at the Nth statement the connection is cut, before the statement or after it."""

    left: int
    after: bool
    hit: bool = False

    def __call__(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, details: dict[str, Any]) -> Any:
        if self.hit:
            raise Killed
        self.left -= 1
        result = execute(sql, params, many, details) if self.left or self.after else None
        if self.left == 0:
            self.hit = True
            details["connection"].connection.close()
            raise Killed
        return result


@dataclass(slots=True)
class World:
    """One tenant: its people, the oracle of its rows, the checks."""

    tenant: int
    operator: Actor
    approvers: tuple[Actor, ...]
    owner: psycopg.Connection
    admin: psycopg.Connection
    checks: Checks
    stale: dict[int, lanes.Claim] = field(default_factory=dict)

    @classmethod
    def create(cls, owner: psycopg.Connection, admin: psycopg.Connection, *, chunk_rows: int) -> World:
        from tests.personas import _make as persona

        tenant = int(admin.execute("SELECT coalesce(max(id), 0) + 1 FROM access_tenant").fetchone()[0])  # type: ignore[index]
        people = [persona("operator", name="Olivia Park", tenant=tenant)]
        people += [persona("approver", name=name, tenant=tenant) for name in ("Amir Haddad", "Beatriz Santos")]
        checks = Checks(Eyes(admin, tenant), Oracle(), chunk_rows)
        return cls(tenant, people[0], tuple(people[1:]), owner, admin, checks)

    @contextmanager
    def as_operator(self) -> Iterator[Actor]:
        with acting(self.operator):
            yield self.operator

    def ticket(self, change: int) -> Ticket | None:
        return Ticket.objects.filter(change_id=change).first()

    # -- people ----------------------------------------------------------------------------------

    def ask(self, table: str, operation: str, keys: list[int], also: list[str]) -> Change:
        with acting(self.operator) as work:
            return gate.request(
                work.actor,
                entity=table,
                operation=operation,
                selection={"keys": keys},
                reason=REASON,
                cascade_also=also,
            ).change

    def undo(self, change: int, options: dict[str, Any]) -> Change:
        with acting(self.operator):
            return gate.request_undo(change, actor=self.operator, reason=REASON, options=options).change

    def undo_events(self, events: list[int], options: dict[str, Any], *, whole: bool) -> Change:
        with acting(self.operator):
            return gate.request_undo_of_events(
                events, actor=self.operator, reason=REASON, transaction=whole, options=options
            ).change

    def decide(self, change: int, verb: str) -> None:
        """Vote, withdraw or discard."""
        with acting(self.operator if verb in ("withdraw", "discard") else self.approvers[0]) as work:
            ticket = self.ticket(change)
            if verb == "discard":
                execution.discard(change, actor=work.actor)
            elif ticket is not None and verb == "withdraw":
                tickets.withdraw(ticket.pk, actor=work.actor)
            elif ticket is not None:
                decisions.vote(ticket.pk, actor=work.actor, decision=verb, digest=ticket.digest, reason="no")

    def control(self, change: int, verb: str) -> None:
        """start, pause or cancel."""
        with acting(self.operator):
            (starting.start if verb == "start" else getattr(execution, verb))(change, actor=self.operator)

    # -- workers ---------------------------------------------------------------------------------

    @contextmanager
    def as_worker(self, number: int) -> Iterator[Change]:
        with acting(Actor.service("worker", tenant_id=self.tenant), channel="task"):
            change = Change.objects.get(pk=number)
            with context.inside(actor=execution._requester(change), change_id=change.pk, reason=change.reason):
                yield change

    def chunk(self, number: int) -> bool:
        """One chunk of the next lane; whether there was a lane."""
        with self.as_worker(number) as change:
            held = lanes.claim(change, "worker")
            if held is None:
                return False
            chunks.advance(change, held)
            lanes.release(held)
            return True

    def finish(self, number: int) -> None:
        with acting(Actor.service("worker", tenant_id=self.tenant), channel="task"):
            execution.work(number, worker="worker")

    def crash(self, number: int, kill: KillAt) -> None:
        """A chunk that is cut off at a statement; its lease runs out."""
        try:
            with connection.execute_wrapper(kill):
                self.chunk(number)
        except Killed:
            connection.close()
        self.leases_end()

    def fall_behind(self, number: int) -> bool:
        """A worker claims a lane and does nothing until its lease is over."""
        with self.as_worker(number) as change:
            held = lanes.claim(change, "slow")
        if held is not None:
            self.stale[number] = held
        self.leases_end()
        return held is not None

    def wake_up(self, number: int) -> bool:
        """The slow worker goes on with what it had claimed; whether it found that it had lost the lane."""
        held = self.stale.pop(number)
        with self.as_worker(number) as change:
            try:
                chunks.advance(change, held)
            except chunks.LaneLost:
                return True
        return False

    def leases_end(self) -> None:
        self.admin.execute("UPDATE changes_lane SET heartbeat_at = '2020-01-01' WHERE tenant_id = %s", [self.tenant])

    def lane_open(self, held: lanes.Claim) -> bool:
        """Nobody else has claimed it meanwhile."""
        with acting(self.operator):
            return Lane.objects.filter(pk=held.lane_id, fence=held.fence, state=Lane.State.OPEN).exists()
