"""A comparison of two states against SQL's EXCEPT both ways, and its cost on a table of ten million rows."""

from __future__ import annotations

import time
from typing import Any

from bench import tables
from bench.measuring import Figure, at_most, reported, take_turns
from bench.stage import Stage

# One row in ten is touched between the states: nine tenths of them get another note, the rest are deleted.
TOUCHED, DELETED = 10, 100
THEN = "bench_then"


def compare_vs_except(stage: Stage, rows: int, rounds: int) -> Figure:
    """The same question to the record and to a copy of the table: which rows differ."""
    state = _scene(stage, rows, copied=True)

    def by_except() -> float:
        columns = tables.COLUMNS
        with stage.owner() as owner:
            began = time.perf_counter()
            gone, come = (
                owner.execute(
                    f"SELECT count(*) FROM (SELECT {columns} FROM {a} EXCEPT SELECT {columns} FROM {b}) d"
                ).fetchone()
                for a, b in ((THEN, "peers_full"), ("peers_full", THEN))
            )
            taken = time.perf_counter() - began
        assert gone == come == (rows // TOUCHED,), (gone, come)
        return taken

    sides = take_turns({"our comparison": lambda: _ours(state, rows), "EXCEPT both ways": by_except}, rounds=rounds)
    with stage.owner() as owner:
        owner.execute(f"DROP TABLE {THEN}")
    return at_most(
        "compare_vs_except",
        0.5,
        "our comparison",
        "EXCEPT both ways",
        sides,
        f"{rows:,} rows, one in {TOUCHED} touched",
    )


def compare_10m(stage: Stage, rows: int, rounds: int) -> Figure:
    """Seconds per million rows of the table, one in ten of them touched. Reported, not judged."""
    with stage.owner() as owner:
        tables.prepare(owner, rows)
    state = _scene(stage, rows, copied=False)
    sides = take_turns({"our comparison": lambda: _ours(state, rows)}, rounds=rounds)
    seconds = sorted(sides["our comparison"])[rounds // 2]
    per_million = seconds / (rows / 1_000_000)
    return reported("compare_10m_s_per_million", per_million, sides, f"{rows:,} rows, one in {TOUCHED} touched")


def _scene(stage: Stage, rows: int, *, copied: bool) -> Any:
    """Loaded rows with their record, a state, and then the changes. Returns the state."""
    from audit.models import Tick
    from audit.snapshots import state

    with stage.owner() as owner:
        tables.load(owner, "peers_full", rows, baseline=True)
        owner.execute(f"DROP TABLE IF EXISTS {THEN}")
        if copied:
            owner.execute(f"CREATE UNLOGGED TABLE {THEN} AS SELECT {tables.COLUMNS} FROM peers_full")
            owner.execute(f"VACUUM (ANALYZE) {THEN}")
        for _ in range(2):  # the second one begins where the first one ended
            (tick,) = owner.execute("SELECT custody.tick()").fetchone() or (0,)
        touched = owner.execute(
            f"UPDATE peers_full SET note = CASE WHEN id % {DELETED} <> 0 THEN note || '!' ELSE note END, "
            f"is_deleted = id % {DELETED} = 0 WHERE id % {TOUCHED} = 0"
        ).rowcount
        assert touched == rows // TOUCHED
        for table in ("peers_full", "peers_historicalfull"):
            owner.execute(f"VACUUM (ANALYZE) {table}")
    stage.checkpoint()
    return state.of_tick(Tick.objects.get(pk=tick))


def _ours(state: Any, rows: int) -> float:
    from audit.snapshots.comparing import Comparison
    from audit.snapshots.state import NOW
    from bench.peers.models import Full
    from foundation.actor import Actor
    from foundation.context import acting

    with acting(Actor.service("bench", tenant_id=1)):
        began = time.perf_counter()
        totals = Comparison(model=Full, a=state, b=NOW, tenant_id=1).totals()
        taken = time.perf_counter() - began
    deleted = rows // DELETED
    found = (totals.only_a, totals.only_b, totals.changed, totals.fields)
    assert found == (deleted, 0, rows // TOUCHED - deleted, {"note": rows // TOUCHED - deleted}), found
    return taken
