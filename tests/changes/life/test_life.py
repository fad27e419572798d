"""The whole life of changes against the oracle, and careless executors against the same machine. See `machine`.

LIFE_EXAMPLES, LIFE_STEPS and LIFE_SEED make it longer, or another one; `docs/reliability.md` tells how.
"""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from audit import registry
from changes import chunks
from tests.changes.life.checks import Violation
from tests.changes.life.course import DRIFT_ROWS, Course
from tests.changes.life.machine import Life
from tests.changes.life.sabotage import SABOTAGES, Sabotage
from tests.changes.life.tables import BY_ENTITY
from tests.changes.life.world import World
from tests.databases import RealDatabase

CHUNK_ROWS = 2
SEED = int(os.environ.get("LIFE_SEED", "1"))
EXAMPLES = int(os.environ.get("LIFE_EXAMPLES", "40"))
STEPS = int(os.environ.get("LIFE_STEPS", "30"))
# Found within this many, or it is not found.
SABOTAGED_EXAMPLES = 60
# Every seed finds it; this one sooner than 1 does.
SOON = {"forgets_the_fold": 3}


@pytest.fixture
def machine(real_db: RealDatabase, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[type[Life]]:
    """The machine on a database of its own; every run of it has a tenant of its own there."""
    settings.CUSTODY_CHUNK_ROWS, settings.CUSTODY_DRIFT_ROWS = CHUNK_ROWS, DRIFT_ROWS
    monkeypatch.setattr(chunks, "time", SimpleNamespace(sleep=lambda _: None))
    with real_db.owner() as owner, real_db.admin() as admin:
        # How long our locks wait follows from this; a slow machine must not decide what a run does.
        admin.execute(f"ALTER DATABASE {real_db.name} SET deadlock_timeout = '1min'")
        for label, table in BY_ENTITY.items():
            entity = registry.entity(label)
            monkeypatch.setattr(entity, "governance", replace(entity.governance, threshold=table.threshold))
            admin.execute("UPDATE audit_governedtable SET row_limit = %s WHERE entity = %s", [table.threshold, label])
            admin.execute(f"CREATE INDEX ON {table.history} (tenant_id, history_id)")

        class Here(Life):
            begin = staticmethod(lambda: Course(World.create(owner, admin, chunk_rows=CHUNK_ROWS)))

        monkeypatch.setattr(Course, "steps", {})
        yield Here


def run(machine: type[Life], *, examples: int, phases: tuple[Phase, ...], start: int = SEED) -> None:
    run_state_machine_as_test(
        seed(start)(machine),
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=phases,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_whole_life_of_changes(machine: type[Life], record_property: Any) -> None:
    shrink = () if os.environ.get("LIFE_SHRINK") == "0" else (Phase.shrink,)
    print(f"again: LIFE_EXAMPLES={EXAMPLES} LIFE_STEPS={STEPS} LIFE_SEED={SEED}")  # noqa: T201  a failure shows it
    run(machine, examples=EXAMPLES, phases=(Phase.generate, *shrink))
    record_property("steps", json.dumps(Course.steps))


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.__name__)
def test_a_careless_executor_is_found(machine: type[Life], sabotage: Sabotage, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch)
    with pytest.raises(Violation):
        run(machine, examples=SABOTAGED_EXAMPLES, phases=(Phase.generate,), start=SOON.get(sabotage.__name__, 1))


def test_a_seed_gives_the_same_steps_again(machine: type[Life]) -> None:
    taken = []
    for _ in range(2):
        Course.steps.clear()
        run(machine, examples=6, phases=(Phase.generate,))
        taken.append(dict(Course.steps))
    assert taken[0] == taken[1] != {}


@pytest.mark.parametrize("module", ["tables", "oracle", "requests", "outcomes", "eyes", "checks"])
def test_the_oracle_shares_nothing_with_the_product(module: str) -> None:
    tree = ast.parse((Path(__file__).parent / f"{module}.py").read_text())
    roots = {node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    roots |= {name.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert not roots & {"audit", "access", "changes", "approvals", "console", "foundation", "shop", "django"}
