"""Databases of their own for tests that commit, and the processes that work on them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.db import connections

from tests.servers import PROJECT, Servers


class RealDatabase:
    """A clone of the template in which work is really committed."""

    def __init__(self, servers: Servers, name: str) -> None:
        self.servers = servers
        self.name = name
        self.env = os.environ | servers.environment(name)

    def owner(self) -> psycopg.Connection:
        """A new autocommit connection as custody_owner; the caller closes it."""
        return psycopg.connect(self.servers.owner_url(self.name), autocommit=True)

    def app(self) -> psycopg.Connection:
        """A new autocommit connection as custody_app; the caller closes it."""
        return psycopg.connect(self.servers.app_url(self.name), autocommit=True)

    def admin(self) -> psycopg.Connection:
        """A new autocommit connection as the cluster's superuser; the caller closes it."""
        from console.embedded.environment import address

        secret = psycopg.conninfo.conninfo_to_dict(self.servers.admin_url)
        url = address(
            self.servers.admin_url,
            user=str(secret["user"]),
            password=str(secret.get("password", "")),
            database=self.name,
        )
        return psycopg.connect(url, autocommit=True)


@contextmanager
def database_of_its_own(servers: Servers, purpose: str, name: str = "") -> Iterator[RealDatabase]:
    """A clone with a name no other worker uses: test processes share one server. Dropped afterwards."""
    name = name or f"custody_{purpose}_{uuid.uuid4().hex[:12]}"
    servers.clone(name)
    try:
        yield RealDatabase(servers, name)
    finally:
        servers.drop(name)


@contextmanager
def default_database(name: str) -> Iterator[None]:
    """Point Django's `default` connection of every thread to this database."""
    connections.close_all()
    settings = connections.settings["default"]
    before, settings["NAME"] = settings["NAME"], name
    try:
        yield
    finally:
        connections.close_all()
        settings["NAME"] = before


class Process:
    """A program of ours under test: started, watched for readiness, stopped or killed."""

    def __init__(self, command: list[str], env: dict[str, str], log: Path) -> None:
        self.command, self.env, self.log = command, env, log
        self.start()

    def start(self) -> None:
        with open(self.log, "ab") as output:
            self.popen = subprocess.Popen(
                self.command, cwd=PROJECT, env=self.env, stdout=output, stderr=output, start_new_session=True
            )

    def wait_for_line(self, text: str, patience_s: float = 30.0) -> None:
        """Return once the log says so; for programs that announce when they are ready."""
        deadline = time.monotonic() + patience_s
        while text not in self.log.read_text(errors="replace"):
            self._fail_if_over(deadline)
            time.sleep(0.05)

    def wait_for_answer(self, url: str, patience_s: float = 30.0) -> None:
        deadline = time.monotonic() + patience_s
        while True:
            try:
                urllib.request.urlopen(url, timeout=5).close()
            except urllib.error.HTTPError:
                return
            except OSError:
                self._fail_if_over(deadline)
                time.sleep(0.05)
            else:
                return

    def _fail_if_over(self, deadline: float) -> None:
        if self.popen.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{self.command[2:5]} is not ready:\n{self.log.read_text(errors='replace')[-3000:]}")

    def stop(self, patience_s: float = 15.0) -> None:
        """Ask it to end; what does not end in time is killed with all it started."""
        if self.popen.poll() is None:
            self.popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(patience_s)
        self.kill()

    def kill(self) -> None:
        """SIGKILL for the program and everything it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()


def gunicorn(env: dict[str, str], port: int, log: Path) -> Process:
    return Process(
        [
            *(sys.executable, "-m", "gunicorn", "console.wsgi:application", "--bind", f"127.0.0.1:{port}"),
            *("--worker-class", "gthread", "--threads", "8", "--no-control-socket"),
        ],
        env,
        log,
    )


def celery_worker(env: dict[str, str], log: Path) -> Process:
    return Process(
        [
            *(sys.executable, "-m", "celery", "-A", "console.celery", "worker", "--concurrency", "2"),
            *("--loglevel", "INFO", "--without-gossip", "--without-mingle"),
        ],
        env,
        log,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
