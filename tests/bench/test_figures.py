"""`make bench` on a handful of rows: every figure is measured. How large it is says nothing here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import KEYS
from tests.servers import PROJECT

pytestmark = pytest.mark.embedded


def test_every_key_is_measured_and_written(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("CUSTODY_", "DATABASE_", "DJANGO_"))}
    run = subprocess.run(
        [sys.executable, "-m", "bench", "--scale", "0.002", "--rounds", "1"],
        cwd=PROJECT,
        env=environment | {"CUSTODY_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    figures = json.loads((tmp_path / "bench" / "quick.json").read_text())
    assert set(figures) == set(KEYS)
    assert all(isinstance(value, int | float) and value > 0 for key, value in figures.items() if key != "rss_growth_mb")
