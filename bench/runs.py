"""Approved, chunked Celery runs against the single governed statement, and their undo."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import tables
from bench.measuring import Figure, at_most
from bench.stage import Stage
from bench.statements import SETS

ENDED = ("done", "cancelled", "failed", "refused")


class People:
    """An operator and two approvers, as real logins."""

    def __init__(self) -> None:
        from access.models import Tenant

        Tenant.objects.get_or_create(id=1, defaults={"name": "Bench", "slug": "bench"})
        self.operator = self._make("operator")
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
    """One measured table: statement, run and undo per round, and what the worker's memory did meanwhile."""

    def __init__(self, stage: Stage, people: People, table: str, rows: int) -> None:
        self._stage, self._people, self._table, self._rows = stage, people, table, rows
        self.seconds: dict[str, list[float]] = {}
        self.growth_mb: list[float] = []

    def measure(self, rounds: int, *, undo: bool) -> None:
        self._warm_up()
        for number in range(rounds):
            sides: list[Callable[[], None]] = [self._statement, lambda: self._run(undo)]
            for side in sides if number % 2 == 0 else reversed(sides):
                side()
            print(f"    round {number + 1}: " + self._last(), flush=True)

    def _last(self) -> str:
        return ", ".join(f"{name} {values[-1]:.2f} s" for name, values in self.seconds.items())

    def _statement(self) -> None:
        with self._stage.owner() as owner:
            self._fresh(owner)
            began = time.perf_counter()
            touched = owner.execute(f"UPDATE {self._table} SET {SETS} WHERE id <= {self._rows}").rowcount
            self._note("single governed statement", time.perf_counter() - began)
        assert touched == self._rows

    def _run(self, undo: bool) -> None:
        with self._stage.owner() as owner:
            self._fresh(owner)
        change = self._timed_run("delete", self._delete)
        if undo:
            self._timed_run("undo", lambda: self._undo(change))
            self._assert_restored()

    def _fresh(self, owner: Any) -> None:
        tables.load(owner, self._table, self._rows, baseline=True)
        tables.forget_changes(owner)
        self._stage.checkpoint()

    def _warm_up(self) -> None:
        """A small run first: imports and first connections are nobody's growth."""
        with self._stage.owner() as owner:
            tables.load(owner, self._table, 20_000, baseline=True)
        before = dict(self.seconds)
        self._timed_run("warm-up", self._delete)
        self.seconds, self.growth_mb = before, []

    def _timed_run(self, what: str, ask: Callable[[], Any]) -> int:
        from access import proofs
        from approvals import decisions
        from changes import execution
        from foundation.context import acting

        operator = self._people.operator
        with acting(operator, channel="bench"):
            began = time.perf_counter()
            outcome = ask()
            self._note(f"{what}: request and freeze", time.perf_counter() - began)
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
            with acting(operator, channel="bench"):
                execution.start(change.pk, actor=operator)
                self._wait(change)
            self._note(f"{what}: vote to verified", time.perf_counter() - began)
        self.growth_mb.append(memory.growth_mb)
        assert (change.state, change.skipped) == ("done", 0), (change.state, change.skipped, change.error)
        assert change.verification["equal"]
        key: int = change.pk
        return key

    def _delete(self) -> Any:
        from approvals import gate

        entity = self._table.replace("_", ".")
        where = {"where": [{"field": "id", "op": "lte", "value": str(self._rows)}]}
        return gate.request(
            self._people.operator, entity=entity, operation="delete", selection=where, reason="A measured bulk delete"
        )

    def _undo(self, change: int) -> Any:
        from approvals import gate

        return gate.request_undo(change, actor=self._people.operator, reason="A measured undo of it")

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


def figures(stage: Stage, rows: int, rounds: int, wanted: set[str]) -> list[Figure]:
    """Whatever of the run figures is wanted, from as few runs as possible."""
    stage.start_worker()
    found: list[Figure] = []
    people = People()
    if wanted & {"run_vs_statement", "undo_vs_delete", "rss_growth_mb"}:
        mass = Runs(stage, people, "peers_mass", rows)
        mass.measure(rounds, undo="undo_vs_delete" in wanted)
        sides = {name: tuple(values) for name, values in mass.seconds.items()}
        run = "delete: vote to verified"
        found.append(at_most("run_vs_statement", 1.1, run, "single governed statement", sides, f"{rows:,} rows, HOT"))
        if "undo: vote to verified" in sides:
            found.append(at_most("undo_vs_delete", 1.5, "undo: vote to verified", run, sides, f"{rows:,} rows, HOT"))
        grown = tuple(mass.growth_mb)
        found.append(
            Figure(key="rss_growth_mb", value=max(grown), goal="≤ 20", met=max(grown) <= 20,
                   sides={"all worker processes, MB": grown}, note="the most of all runs")
        )  # fmt: skip
    if "run_vs_statement_indexed" in wanted:
        full = Runs(stage, people, "peers_full", rows)
        full.measure(rounds, undo="undo_vs_delete" in wanted)
        sides = {name: tuple(values) for name, values in full.seconds.items()}
        found.append(
            at_most("run_vs_statement_indexed", 1.6, "delete: vote to verified", "single governed statement", sides,
                    f"{rows:,} rows, three indexes")
        )  # fmt: skip
    return [figure for figure in found if figure.key in wanted]
