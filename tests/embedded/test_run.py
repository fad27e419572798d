"""`python -m console.embedded.run` as a whole: starts, heals, stops, and starts again after the worst."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from console.embedded.cluster import Cluster
from tests.databases import free_port
from tests.servers import PROJECT

pytestmark = pytest.mark.embedded

GIVEN = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "BROKER_URL", "CUSTODY_SECRET_KEY", "CUSTODY_DEBUG")
PATIENCE_S = 120.0


class Site:
    """One launcher and everything under it."""

    def __init__(self, home: Path, port: int, **environment: str) -> None:
        kept = {name: value for name, value in os.environ.items() if name not in (*GIVEN, "MAKELEVEL")}
        self.output = home.with_name("output.txt")
        self.address = f"http://127.0.0.1:{port}"
        with open(self.output, "wb") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "console.embedded.run"],
                cwd=PROJECT,
                env=kept | {"CUSTODY_HOME": str(home), "PORT": str(port)} | environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait_until_ready(self) -> Site:
        until(lambda: "Ctrl-C stops everything" in self.text() or self.popen.poll() is not None)
        assert self.popen.poll() is None, self.text()
        return self

    def text(self) -> str:
        return self.output.read_text()

    def family(self) -> list[psutil.Process]:
        launcher = psutil.Process(self.popen.pid)
        return [launcher, *launcher.children(recursive=True)]

    def find(self, word: str) -> psutil.Process:
        return next(each for each in self.family() if word in " ".join(each.cmdline()))

    def has(self, word: str) -> bool:
        return any(word in " ".join(each.cmdline()) for each in self.family())

    def answers(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.address}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
        return False

    def end(self, number: signal.Signals) -> int:
        self.popen.send_signal(number)
        return self.popen.wait(20)


def until(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def all_gone(processes: list[psutil.Process]) -> bool:
    _, left = psutil.wait_procs(processes, timeout=20)
    return not [each for each in left if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def home(place: Path) -> Iterator[Path]:
    yield place / "home"
    with contextlib.suppress(OSError):
        Cluster(place / "home").destroy()


def test_it_heals_stops_cleanly_and_starts_after_a_kill_of_everything(home: Path) -> None:
    site = Site(home, free_port()).wait_until_ready()
    assert re.search(r"operator +\S+", site.text())
    password = (home / "demo_logins.txt").read_text()

    until(lambda: site.has("worker --concurrency"))
    site.find("worker --concurrency").kill()
    until(lambda: "worker runs again" in site.text())
    site.find("bin/postgres -D").kill()
    until(lambda: "postgres runs again" in site.text())
    until(site.answers)

    family = site.family()
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    site.popen.wait()

    again = Site(home, free_port()).wait_until_ready()
    assert (home / "demo_logins.txt").read_text() == password
    assert "Migrating" not in again.text()
    family = again.family()
    assert again.end(signal.SIGINT) == 0
    assert all_gone(family)
    assert again.text().endswith("Stopped. All data is kept.\n")


def test_a_killed_launcher_takes_everything_with_it(home: Path) -> None:
    site = Site(home, free_port(), CUSTODY_ENV="production").wait_until_ready()
    family = site.family()
    site.popen.kill()
    site.popen.wait()
    assert all_gone(family[1:])


def test_a_database_that_does_not_answer_is_one_sentence(home: Path) -> None:
    site = Site(home, free_port(), DATABASE_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    assert site.popen.wait(30) == 1
    assert re.fullmatch(r"custody: DATABASE_URL does not answer: .*\n", site.text())
