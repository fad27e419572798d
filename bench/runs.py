"""Approved, chunked Celery runs against the single governed statement, and their undo."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import tables
from bench.measuring import Figure, Sides, at_most
from bench.stage import Stage
from bench.statements import SETS

ENDED = ("done", "cancelled", "failed", "refused")
KEYS = frozenset({"run_vs_statement", "undo_vs_delete", "restore_vs_delete", "rss_growth_mb"})
STATEMENT = "single governed statement"
ASKED, RUN, WHOLE = ": request and freeze", ": vote to verified", ": request to verified"
# Of so many rows one was changed by somebody else before the restore.
CHANGED_SINCE = 100


class People:
    """An operator, an engineer and two approvers, as real logins."""

    def __init__(self) -> None:
        from access.models import Tenant

        Tenant.objects.get_or_create(id=1, defaults={"name": "Bench", "slug": "bench"})
        self.operator = self._make("operator")
        self.engineer = self._make("engineer")
        self.approvers = [self._make("approver"), self._make("approver")]

    def _make(self, role: str) -> Any:
        from django.contrib.auth import get_user_model
        from django.contrib.auth.models import Group

        from access.actors import actor_for
        from access.models import Account, Person

        users: Any = get_user_model()
        user = users.objects.create(username=f"{role}{users.objects.count()}")
        user.groups.add(Group.objects.get(name=role))
        Account.objects.create(user=user, person=Person.objects.create(name=user.username), tenant_id=1)
        return actor_for(user)


class Runs:
    """One measured table: statement, run, undo and restore per round, and what the worker's memory did meanwhile."""

    def __init__(self, stage: Stage, people: People, table: str, rows: int) -> None:
        self._stage, self._people, self._table, self._rows = stage, people, table, rows
        self.seconds: dict[str, list[float]] = {}
        self.growth_mb: list[float] = []

    def measure(self, rounds: int, *, undo: bool = False, restore: bool = False) -> None:
        self.warm_up()
        for number in range(rounds):
            sides: list[Callable[[], None]] = [self._statement, lambda: self._run(undo=undo, restore=restore)]
            for side in sides if number % 2 == 0 else reversed(sides):
                side()
            print(f"    round {number + 1}: " + self.last(), flush=True)

    def sides(self) -> dict[str, tuple[float, ...]]:
        """Seconds per step and round; of each kind of run also the whole, from the request to the verified end."""
        taken = {name: tuple(values) for name, values in self.seconds.items()}
        for kind in ("delete", "undo", "restore"):
            parts = [taken[f"{kind}{step}"] for step in (ASKED, RUN) if f"{kind}{step}" in taken]
            if len(parts) == 2:
                taken[f"{kind}{WHOLE}"] = tuple(map(sum, zip(*parts, strict=True)))
        return taken

    def last(self) -> str:
        return ", ".join(f"{name} {values[-1]:.2f} s" for name, values in self.seconds.items())

    def _statement(self) -> None:
        with self._stage.owner() as owner:
            self.fresh(owner)
            began = time.perf_counter()
            touched = owner.execute(f"UPDATE {self._table} SET {SETS} WHERE id <= {self._rows}").rowcount
            self._note(STATEMENT, time.perf_counter() - began)
        assert touched == self._rows

    def _run(self, *, undo: bool, restore: bool) -> None:
        with self._stage.owner() as owner:
            self.fresh(owner)
        snapshot = self._snapshot() if restore else 0
        change = self.timed_run("delete", self.delete)
        if undo:
            self.timed_run("undo", lambda: self._undo(change))
            self._assert_restored()
        if restore:
            self._everything_else(after_undo=undo)
            self.timed_run("restore", lambda: self._restore(snapshot), actor=self._people.engineer)
            self._assert_restored()

    def _snapshot(self) -> int:
        """A snapshot of the freshly loaded table."""
        from audit.snapshots.taking import take
        from foundation.context import acting

        engineer = self._people.engineer
        with acting(engineer, channel="bench"):
            return int(take(f"bench {time.time_ns()}", entities=[self._entity()], actor=engineer).pk)

    def _everything_else(self, *, after_undo: bool) -> None:
        """What happened since the snapshot besides: other people changed one row in a hundred, and all rows are deleted."""
        with self._stage.owner() as owner:
            if after_undo:
                owner.execute(f"VACUUM {self._table}")
                owner.execute(f"UPDATE {self._table} SET {SETS} WHERE id <= {self._rows}")
            owner.execute(f"UPDATE {self._table} SET note = note || '!' WHERE id % {CHANGED_SINCE} = 0")
            tables.forget_changes(owner)
            for table in (self._table, tables.HISTORIES[self._table]):
                owner.execute(f"VACUUM (ANALYZE) {table}")
        self._stage.checkpoint()

    def fresh(self, owner: Any) -> None:
        tables.load(owner, self._table, self._rows, baseline=True)
        tables.forget_changes(owner)
        self._stage.checkpoint()

    def warm_up(self, rows: int = 20_000) -> None:
        """A small run first: imports and first connections are nobody's growth."""
        with self._stage.owner() as owner:
            tables.load(owner, self._table, rows, baseline=True)
        before = dict(self.seconds)
        self.timed_run("warm-up", self.delete)
        self.seconds, self.growth_mb = before, []

    def timed_run(self, what: str, ask: Callable[[], Any], *, actor: Any = None) -> int:
        from access import proofs
        from approvals import decisions
        from changes import execution
        from foundation.context import acting

        actor = actor or self._people.operator
        with acting(actor, channel="bench"):
            began = time.perf_counter()
            outcome = ask()
            self._note(what + ASKED, time.perf_counter() - began)
            change, ticket = outcome.change, outcome.ticket
        self._stage.checkpoint()
        first, *others = self._people.approvers[: ticket.required]
        for approver in others:
            with acting(approver, channel="bench"):
                proofs.record(approver, "password", meant="ticket.vote")
                decisions.vote(ticket.pk, actor=approver, decision="approve", digest=ticket.digest)
        with Memory(self._stage) as memory:
            began = time.perf_counter()
            with acting(first, channel="bench"):
                proofs.record(first, "password", meant="ticket.vote")
                decisions.vote(ticket.pk, actor=first, decision="approve", digest=ticket.digest)
            with acting(actor, channel="bench"):
                execution.start(change.pk, actor=actor)
                self._wait(change)
            self._note(what + RUN, time.perf_counter() - began)
        self.growth_mb.append(memory.growth_mb)
        assert (change.state, change.skipped) == ("done", 0), (change.state, change.skipped, change.error)
        assert change.verification["equal"]
        key: int = change.pk
        return key

    def delete(self) -> Any:
        from approvals import gate

        where = {"where": [{"field": "id", "op": "lte", "value": str(self._rows)}]}
        return gate.request(
            self._people.operator,
            entity=self._entity()._meta.label_lower,
            operation="delete",
            selection=where,
            reason="A measured bulk delete",
        )

    def _undo(self, change: int) -> Any:
        from approvals import gate

        return gate.request_undo(change, actor=self._people.operator, reason="A measured undo of it")

    def _restore(self, snapshot: int) -> Any:
        from approvals import gate

        return gate.rollback_to_snapshot(snapshot, actor=self._people.engineer, reason="A measured restore of it")

    def _entity(self) -> Any:
        from audit import registry

        return registry.entity(self._table.replace("_", "."))

    def _wait(self, change: Any) -> None:
        while change.state not in ENDED:
            time.sleep(0.02)
            change.refresh_from_db()

    def _assert_restored(self) -> None:
        with self._stage.owner() as owner:
            columns = tables.COLUMNS
            row = owner.execute(
                f"SELECT count(*) FROM (SELECT {columns} FROM {self._table} EXCEPT "
                f"SELECT {columns} FROM bench_seed) different"
            ).fetchone()
        assert row == (0,), row

    def _note(self, name: str, seconds: float) -> None:
        self.seconds.setdefault(name, []).append(seconds)


class Memory:
    """Resident memory of the worker's processes while a block runs: the most it grew by, in megabytes."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.growth_mb = 0.0

    def __enter__(self) -> Memory:
        self._before = self._resident()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.25):
            now = self._resident()
            # Processes that the pool started meanwhile count from nothing.
            self.growth_mb = max(self.growth_mb, sum(now.values()) - sum(self._before.values()))

    def _resident(self) -> dict[int, float]:
        found = {}
        for pid in self._stage.worker_pids():
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    found[pid] = int(line.split()[1]) / 1024
        return found


def figures(stage: Stage, rows: int, rounds: int, wanted: frozenset[str]) -> list[Figure]:
    """Those of KEYS that are wanted, from as few runs as possible."""
    stage.start_worker()
    mass = Runs(stage, People(), "peers_mass", rows)
    mass.measure(rounds, undo="undo_vs_delete" in wanted, restore="restore_vs_delete" in wanted)
    sides, note = mass.sides(), f"{rows:,} rows, HOT"
    found = [at_most("run_vs_statement", 1.1, "delete" + RUN, STATEMENT, _of(sides, STATEMENT, "delete"), note)]
    if "undo_vs_delete" in wanted:
        found.append(
            at_most("undo_vs_delete", 1.2, "undo" + WHOLE, "delete" + WHOLE, _of(sides, "undo", "delete"), note)
        )
    if "restore_vs_delete" in wanted:
        found.append(
            at_most(
                "restore_vs_delete", 1.2, "restore" + WHOLE, "delete" + WHOLE, _of(sides, "restore", "delete"), note
            )
        )
    grown = tuple(mass.growth_mb)
    found.append(
        Figure(key="rss_growth_mb", value=max(grown), goal="≤ 20", met=max(grown) <= 20,
               sides={"all worker processes, MB": grown}, note="the most of all runs")
    )  # fmt: skip
    return [figure for figure in found if figure.key in wanted]


def _of(sides: Sides, *kinds: str) -> dict[str, tuple[float, ...]]:
    """The sides that a figure is about."""
    return {name: values for name, values in sides.items() if name.startswith(kinds)}


def run_vs_statement_indexed(stage: Stage, rows: int, rounds: int) -> Figure:
    """The same run on a full table with three indexes."""
    stage.start_worker()
    full = Runs(stage, People(), "peers_full", rows)
    full.measure(rounds)
    note = f"{rows:,} rows, three indexes"
    return at_most("run_vs_statement_indexed", 1.6, "delete" + RUN, STATEMENT, full.sides(), note)
