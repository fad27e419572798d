"""The chaos run, short: the real executor stays green, a careless one goes red under the same checker."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.servers import PROJECT

pytestmark = pytest.mark.embedded


def chaos(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("CUSTODY_", "DATABASE_", "DJANGO_"))}
    return subprocess.run(
        [sys.executable, "-m", "chaos", *arguments],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_a_few_faults_break_no_rule() -> None:
    run = chaos("--faults", "3", "--seed", "7")
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert "0 violations" in run.stdout


def test_a_careless_executor_is_caught() -> None:
    run = chaos("--faults", "8", "--seed", "1", "--naive")
    assert run.returncode == 1, run.stdout[-3000:] + run.stderr[-3000:]
    # For what it did to rows, and for nothing that a careful one would be blamed for as well.
    assert "VIOLATION I1 a row that had moved" in run.stdout or "VIOLATION I2" in run.stdout, run.stdout[-3000:]
    assert "VIOLATION I13" not in run.stdout
