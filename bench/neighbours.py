"""What a run costs its neighbours: user point queries beside it, how long rows stay locked, what a second worker brings."""

from __future__ import annotations

import random
import statistics
import threading
import time
from typing import Any

from bench.measuring import Figure, at_least
from bench.runs import People, Runs
from bench.stage import Stage

KEYS = frozenset({"neighbour_p99", "parallel_speedup", "hot_share"})
PAUSE_S = 0.002
TABLE = "peers_mass"


class Users:
    """A thread that reads one row by its key, again and again; its times in milliseconds."""

    def __init__(self, stage: Stage, rows: int) -> None:
        self._connection, self._rows = stage.owner(), rows
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.times: list[float] = []

    def __enter__(self) -> Users:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        self._connection.close()

    def _ask(self) -> None:
        while not self._over.wait(PAUSE_S):
            key = random.randint(1, self._rows)
            began = time.perf_counter()
            self._connection.execute(f"SELECT * FROM {TABLE} WHERE id = %s", [key]).fetchone()
            self.times.append((time.perf_counter() - began) * 1000)


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
    def times(self) -> tuple[float, ...]:
        return tuple(float(held) for held in self._seen.values())

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
        with Users(self._stage, self._rows) as users:
            time.sleep(seconds)
        return users.times

    def run(self, name: str) -> tuple[list[float], tuple[float, ...]]:
        """Delete everything; the users' times and the chunks' holds meanwhile."""
        with self._stage.owner() as owner:
            self._fresh(owner)
        with Users(self._stage, self._rows) as users, Holds(self._stage) as holds:
            self._timed_run(name, self._delete)
        return users.times, holds.times


def figures(stage: Stage, rows: int, rounds: int, wanted: set[str]) -> list[Figure]:
    """Those of KEYS that are wanted."""
    from django.test import override_settings

    stage.start_worker()
    people, found = People(), []
    beside = Beside(stage, people, TABLE, rows)
    beside._warm_up()
    if wanted & {"neighbour_p99", "parallel_speedup"}:
        quiet: list[float] = []
        busy: list[float] = []
        holds: list[float] = []
        for number in range(rounds):
            with override_settings(CUSTODY_LANES=2):
                times, held = beside.run("two")
            busy += times
            holds += held
            quiet += beside.quiet(min(10.0, beside.seconds["two: vote to verified"][-1]))
            if "parallel_speedup" in wanted:
                with override_settings(CUSTODY_LANES=1):
                    beside.run("one")
            print(f"    round {number + 1}: " + beside._last(), flush=True)
        found += _neighbours(quiet, busy, holds, rows)
    if "parallel_speedup" in wanted:
        sides = {name: tuple(values) for name, values in beside.seconds.items()}
        found.append(
            at_least("parallel_speedup", 1.0, "two: vote to verified", "one: vote to verified", sides, f"{rows:,} rows")
        )
    if "hot_share" in wanted:
        found.append(_hot_share(stage, people, max(rows // 10, 1000)))
    return [figure for figure in found if figure.key in wanted]


def p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98] if len(times) > 1 else times[0]


def _neighbours(quiet: list[float], busy: list[float], holds: list[float], rows: int) -> list[Figure]:
    value, held = p99(busy) / p99(quiet), p99(holds)
    sides = {
        "point query during the run, p99 ms": (p99(busy),),
        "point query without it, p99 ms": (p99(quiet),),
        "row locks held, p99 ms": (held,),
        "row locks held, longest ms": (max(holds),),
    }
    note = f"{rows:,} rows; locks held {held:.0f} ms at p99 (goal ≤ 200), {len(busy):,} queries, {len(holds):,} chunks"
    return [
        Figure(key="neighbour_p99", value=value, goal="≤ 1.2", met=value <= 1.2 and held <= 200, sides=sides, note=note)
    ]


def _hot_share(stage: Stage, people: People, rows: int) -> Figure:
    """Of the updates of a mass delete of tags, those that left every index alone."""
    from foundation.context import acting
    from shop.models import Customer, UserTag

    with acting(people.operator, channel="bench"):
        owner = Customer.objects.create(name="Bench", email="bench@example.com")
        for start in range(0, rows, 10_000):
            size = min(10_000, rows - start)
            UserTag.objects.bulk_create(UserTag(customer=owner, tag=f"tag {start + n}") for n in range(size))
        last = UserTag.objects.order_by("-pk").values_list("pk", flat=True)[0]
    runs = Beside(stage, people, "shop_usertag", last)
    with stage.owner() as connection:
        connection.execute("VACUUM (ANALYZE) shop_usertag")
        before = _updates(connection)
        runs._timed_run("hot", runs._delete)
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
