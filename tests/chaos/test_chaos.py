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
    assert "VIOLATION" in run.stdout
