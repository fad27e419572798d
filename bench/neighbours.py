"""What a run costs its neighbours: user point queries beside it, how long rows stay locked, what a second worker brings."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from bench.measuring import Figure, paired, reported, take_turns
from bench.runs import RUN, People, Runs
from bench.stage import Stage

QUIET_S = 10.0
# From 50,000 rows on a run has two lanes, so that both worker processes take part.
WARM_ROWS = 60_000
TABLE = "peers_mass"


class Users:
    """A process that reads one row by its key, again and again (`bench.users`); its times in milliseconds.

    A process of its own, since the threads of this one would wait for each other and not for the database.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self.times: list[float] = []

    def __enter__(self) -> Users:
        command = [sys.executable, "-m", "bench.users", TABLE, str(self._rows)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *error: object) -> None:
        answer, _ = self._process.communicate()
        self.times = json.loads(answer)


class Holds:
    """A thread that reads how long each chunk held its row locks, in milliseconds."""

    def __init__(self, stage: Stage) -> None:
        self._connection = stage.owner()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._seen: dict[tuple[int, int], int] = {}

    def __enter__(self) -> Holds:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        self._connection.close()

    @property
    def times(self) -> list[float]:
        return [float(held) for held in self._seen.values()]

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            for lane, chunks, held in self._connection.execute(
                "SELECT l.id, l.chunks, l.held_ms FROM changes_lane l JOIN changes_change c ON c.id = l.change_id "
                "WHERE l.chunks > 0 AND c.state = 'running'"
            ).fetchall():
                self._seen[lane, chunks] = held


class Beside(Runs):
    """A run of one table, with users beside it."""

    def quiet(self, seconds: float) -> list[float]:
        """Times of the same queries when nothing runs."""
        with Users(self._rows) as users:
            time.sleep(seconds)
        return users.times

    def run(self, name: str) -> tuple[list[float], list[float]]:
        """Delete everything; the users' times and the chunks' holds meanwhile."""
        with self._stage.owner() as owner:
            self.fresh(owner)
        with Users(self._rows) as users, Holds(self._stage) as holds:
            self.timed_run(name, self.delete)
        return users.times, holds.times

    def with_lanes(self, lanes: int) -> float:
        """Seconds of a run with so many lanes, from its start to its end by the database's clock; nobody beside it."""
        from django.test import override_settings

        with self._stage.owner() as owner:
            self.fresh(owner)
            with override_settings(CUSTODY_LANES=lanes):
                change = self.timed_run(f"{lanes} lanes", self.delete)
            row = owner.execute(
                "SELECT extract(epoch FROM finished_at - started_at) FROM changes_change WHERE id = %s", [change]
            ).fetchone()
        assert row is not None
        return float(row[0])


def _warm(stage: Stage, rows: int) -> Beside:
    """Both worker processes have worked before: the second one's imports are nobody's time."""
    stage.start_worker()
    beside = Beside(stage, People(), TABLE, rows)
    beside.warm_up(max(20_000, min(rows, WARM_ROWS)))
    return beside


def neighbour_p99(stage: Stage, rows: int, rounds: int) -> Figure:
    """The median of the rounds' own ratios; and of all chunks, how long their rows were locked."""
    beside = _warm(stage, rows)
    busy, quiet, holds, asked = list[float](), list[float](), list[float](), 0
    for number in range(rounds):
        times, held = beside.run("delete")
        busy.append(p99(times))
        holds += held
        asked += len(times)
        quiet.append(p99(beside.quiet(min(QUIET_S, beside.seconds["delete" + RUN][-1]))))
        print(
            f"    round {number + 1}: p99 {busy[-1]:.2f} ms, quiet {quiet[-1]:.2f} ms, locks {p99(held):.0f}",
            flush=True,
        )
    value, held_ms = statistics.median(paired(busy, quiet)), p99(holds)
    sides = {
        "point query during the run, p99 ms": tuple(busy),
        "point query without it, p99 ms": tuple(quiet),
        "row locks held by a chunk, ms": tuple(holds),
    }
    note = f"{rows:,} rows; locks held {held_ms:.0f} ms at p99 (goal ≤ 200), {asked:,} queries, {len(holds):,} chunks"
    met = value <= 1.2 and held_ms <= 200
    return Figure(key="neighbour_p99", value=value, goal="≤ 1.2", met=met, sides=sides, note=note)


def parallel_speedup(stage: Stage, rows: int, rounds: int) -> Figure:
    """Two lanes on two worker processes against one lane on one of them."""
    beside = _warm(stage, rows)
    sides = take_turns({f"{n} lanes": lambda n=n: beside.with_lanes(n) for n in (1, 2)}, rounds=rounds)  # type: ignore[misc]
    ratios = paired(sides["1 lanes"], sides["2 lanes"])
    note = f"{rows:,} rows; ratios {min(ratios):.2f} to {max(ratios):.2f}"
    return reported("parallel_speedup", statistics.median(ratios), sides, note)


def p99(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100)[98] if len(times) > 1 else times[0]


def hot_share(stage: Stage, rows: int) -> Figure:
    """Of the updates of a mass delete of tags, those that left every index alone."""
    from foundation.context import acting
    from shop.models import Customer, UserTag

    stage.start_worker()
    people = People()
    with acting(people.operator, channel="bench"):
        owner = Customer.objects.create(name="Bench", email=f"{time.time_ns()}@bench.example")
        for start in range(0, rows, 10_000):
            size = min(10_000, rows - start)
            UserTag.objects.bulk_create(UserTag(customer=owner, tag=f"tag {start + n}") for n in range(size))
        last = UserTag.objects.order_by("-pk").values_list("pk", flat=True)[0]
    runs = Beside(stage, people, "shop_usertag", last)
    with stage.owner() as connection:
        connection.execute("VACUUM (ANALYZE) shop_usertag")
        before = _updates(connection)
        runs.timed_run("hot", runs.delete)
        deadline = time.monotonic() + 30
        while (now := _updates(connection))[0] - before[0] < rows and time.monotonic() < deadline:
            time.sleep(0.5)
    updated, hot = now[0] - before[0], now[1] - before[1]
    share = hot / updated if updated else 0.0
    sides = {"updates": (float(updated),), "of them HOT": (float(hot),)}
    return Figure(key="hot_share", value=share, goal="≥ 0.95", met=share >= 0.95, sides=sides, note=f"{rows:,} tags")


def _updates(connection: Any) -> tuple[int, int]:
    connection.execute("SELECT pg_stat_clear_snapshot()")
    row = connection.execute(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'shop_usertag'"
    ).fetchone()
    return int(row[0]), int(row[1])
