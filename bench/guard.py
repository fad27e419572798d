"""The last guard's own price: the same capture with and without it, on one row per transaction and on chunks of 10,000."""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

from bench import tables
from bench.measuring import Figure, paired
from bench.stage import Stage

ROWS = 200_000
CHUNK = 10_000
BLOCK, PAIRS, CHUNK_PAIRS = 50, 60, 30
CONTEXT = {"user": 1, "person": 1, "name": "Olivia Park", "tenant": 1, "channel": "page", "reason": "bench"}
SINGLE, CHUNKED = "one row", f"{CHUNK:,} rows"
WITH, WITHOUT = "with guard", "without"


def guard_overhead(stage: Stage, most: int, effort: float = 1.0) -> Figure:
    """The larger of both ratios. The guard is taken out of the trigger function and put back, block by block; each
    ratio is the median over neighbouring blocks, so that a load that comes and goes meets both alike.

    `most` bounds the rows of the table, `effort` (at most 1) the number of blocks."""
    rows = min(ROWS, most)
    chunk = min(CHUNK, rows // 2)
    with stage.owner() as owner:
        tables.load(owner, "peers_full", rows, baseline=True)
        tables.forget_changes(owner)
        functions = _functions()
        try:
            with stage.application() as app:
                sides = _single_rows(owner, app, functions, rows, max(2, int(PAIRS * effort)))
                change = _running_change(owner, rows)
                turns = _turns(max(2, int(CHUNK_PAIRS * effort)))
                starts = [number * chunk % (rows - rows % chunk) for number in range(len(turns))]
                sides |= _chunks(owner, app, functions, list(zip(turns, starts, strict=True)), chunk, change, stage)
        finally:
            owner.execute(functions[WITH])
    ratios = {
        name: statistics.median(paired(sides[f"{name}, {WITH}"], sides[f"{name}, {WITHOUT}"]))
        for name in (SINGLE, CHUNKED)
    }
    print("    " + ", ".join(f"{name}: {ratio:.3f}" for name, ratio in ratios.items()), flush=True)
    value = max(ratios.values())
    note = f"milliseconds, fsync on; {SINGLE} {ratios[SINGLE]:.3f}, {CHUNKED} {ratios[CHUNKED]:.3f}"
    return Figure(key="guard_overhead", value=value, goal="≤ 1.05", met=value <= 1.05, sides=sides, note=note)


def _functions() -> dict[str, str]:
    """The update trigger's function as it is, and with the guard's statements cut out."""
    from audit import capture
    from audit.constraints import Capture
    from audit.guard import guard
    from audit.names import literal
    from bench.peers.models import Full

    declared = next(c for c in Full._meta.constraints if isinstance(c, Capture))
    spec = declared.spec(Full._meta.db_table)
    whole = capture.create_function(spec, "update")
    fragment = guard(
        place=literal(".".join(spec.table)), keys=spec.key, operation="update", rows="changed"
    )  # fmt: skip
    assert fragment in whole
    bare = whole.replace(fragment, "  IF NOT EXISTS (SELECT FROM changed) THEN RETURN NULL; END IF;\n")
    bare = bare.replace("custody.mass_write()", "NULL")
    return {WITH: whole, WITHOUT: bare}


def _single_rows(
    owner: Any, app: Any, functions: dict[str, str], rows: int, pairs: int
) -> dict[str, tuple[float, ...]]:
    """The median of each block of updates; the first ones after a change of the function plan it anew."""
    taken: dict[str, list[float]] = {name: [] for name in functions}
    owner.execute("UPDATE audit_governedtable SET window_rows = 1000000 WHERE table_name = 'public.peers_full'")
    for block, name in enumerate(_turns(pairs)):
        owner.execute(functions[name])
        times = []
        for number in range(BLOCK + 5):
            key = 1 + ((block * BLOCK + number) * 7919) % rows
            began = time.perf_counter()
            with app.transaction():
                _as_person(app, CONTEXT)
                app.execute(f"UPDATE peers_full SET note = 'changed {block}' WHERE tenant_id = 1 AND id = {key}")
            times.append((time.perf_counter() - began) * 1000)
        taken[name].append(statistics.median(times[5:]))
    return {f"{SINGLE}, {name}": tuple(values) for name, values in taken.items()}


def _turns(pairs: int) -> list[str]:
    """With, without, without, with, and so on."""
    return [name for n in range(pairs) for name in ((WITH, WITHOUT) if n % 2 == 0 else (WITHOUT, WITH))]


def _as_person(app: Any, context: dict[str, Any]) -> None:
    app.execute(
        "SELECT set_config('custody.context', %s, true), set_config('custody.tenant', '1', true)", [json.dumps(context)]
    )


def _running_change(owner: Any, rows: int) -> int:
    """A running change that froze every row of the table, as the engine would have left it."""
    owner.execute("SET custody.tenant = '1'")
    change = owner.execute(
        "INSERT INTO changes_change (tenant_id, operation, entity, title, reason, selection, selection_text, options, "
        "state, digest, snapshot, schema_fingerprint, rows_selected, rows_total, preflight, requester_name, channel, "
        "started_by, applied, skipped, error) VALUES (1, 'delete', 'peers.full', 'bench', '', '{}', '', '{}', 'draft', "
        "'', '', '', 0, 0, '[]', 'bench', 'bench', '', 0, 0, '') RETURNING id"
    ).fetchone()[0]
    owner.execute(
        "INSERT INTO changes_changepart (tenant_id, change_id, part, depth, step, entity, effect, via, columns, rows, "
        "conflicts) VALUES (1, %s, 0, 0, 0, 'peers.full', 'delete', '', "
        "'[\"is_deleted\", \"deleted_at\", \"retention_policy\", \"status\"]', %s, 0)", [change, rows],
    )  # fmt: skip
    owner.execute(
        "INSERT INTO changes_frozenrow (tenant_id, change_id, part, position, token) "
        "SELECT 1, %s, 0, id, xmin FROM peers_full", [change],
    )  # fmt: skip
    owner.execute("ALTER TABLE changes_change DISABLE TRIGGER USER")
    owner.execute("UPDATE changes_change SET state = 'running' WHERE id = %s", [change])
    owner.execute("ALTER TABLE changes_change ENABLE ALWAYS TRIGGER custody_step")
    owner.execute("ALTER TABLE changes_change ENABLE ALWAYS TRIGGER custody_begin")
    owner.execute("ANALYZE changes_frozenrow")
    return int(change)


def _chunks(
    owner: Any, app: Any, functions: dict[str, str], turns: list[tuple[str, int]], chunk: int, change: int, stage: Stage
) -> dict[str, tuple[float, ...]]:
    """The engine's chunk: its UPDATE over frozen rows, by range."""
    sets = "is_deleted = true, deleted_at = now(), status = 'archived', retention_policy = 'standard'"
    taken: dict[str, list[float]] = {name: [] for name in functions}
    for block, (name, lo) in enumerate(turns):
        owner.execute(functions[name])
        if block % 8 == 0:
            stage.checkpoint()
        began = time.perf_counter()
        with app.transaction():
            _as_person(app, CONTEXT | {"change": change})
            app.execute(
                "SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = on; "
                f"SET LOCAL custody.chunk = '0:{lo}:{lo + chunk}'"
            )
            touched = app.execute(
                f"UPDATE peers_full o SET {sets} FROM changes_frozenrow r WHERE r.tenant_id = 1 AND r.change_id = {change} "
                f"AND r.part = 0 AND r.position > {lo} AND r.position <= {lo + chunk} AND o.id = r.position "
                f"AND o.tenant_id = 1 AND o.id > {lo} AND o.id <= {lo + chunk}"
            ).rowcount
        taken[name].append((time.perf_counter() - began) * 1000)
        assert touched == chunk, touched
    return {f"{CHUNKED}, {name}": tuple(values) for name, values in taken.items()}
