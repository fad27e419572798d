"""An embedded PostgreSQL cluster: made once, started, stopped, survives being killed.

    with Cluster(directory) as cluster:
        psycopg.connect(cluster.conninfo("postgres", "postgres"))

The server listens on a unix socket only, in a directory of its own, and every login needs its scram
password from secrets.json. A cluster started from here ends with the process (and the thread) that
started it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import psycopg

from console.embedded.account import give, server_account, state_directory
from console.embedded.binaries import POSTGRES_MAJOR, postgres_bin
from console.embedded.errors import Refused
from console.embedded.home import Home, make_private, user_name
from console.embedded.process import ServerProcess, last_lines, leashed
from console.embedded.tuning import Machine, settings_for

ADMIN = "postgres"
PORT = 5432
START_PATIENCE_S = 600.0  # recovery reads up to max_wal_size
FAST, IMMEDIATE = signal.SIGINT, signal.SIGQUIT
FAST_PATIENCE_S, IMMEDIATE_PATIENCE_S = 8.0, 3.0


class Cluster:
    """One data directory and the server on it. `settings` override the tuned ones."""

    def __init__(self, home: Path | str | Home, *, settings: Mapping[str, str] | None = None) -> None:
        self.home = home if isinstance(home, Home) else Home.open(home)
        self._account = server_account()
        self._settings = dict(settings or {})
        self._base = self._place()
        self._process: ServerProcess | None = None

    @property
    def data(self) -> Path:
        return self._base / "postgres"

    @property
    def log(self) -> Path:
        return self.home.log / "postgres.log"

    @property
    def sockets(self) -> Path:
        """The socket's directory: the server's user owns it, so it is not the one of our other sockets."""
        base = self.home.sockets() if self._base == self.home.path else self._base
        return base / "pg"

    @property
    def bin(self) -> Path:
        """Directory of psql, pg_dump and the other programs of this server's version."""
        return postgres_bin(self._account)

    @property
    def pid(self) -> int:
        """The postmaster's process id. Raises Refused when it does not run."""
        try:
            return int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            raise Refused("PostgreSQL does not run.") from None

    def conninfo(self, role: str = ADMIN, database: str = "custody") -> str:
        """The postgresql:// address for one of `postgres`, `custody_owner`, `custody_app`."""
        password = quote(self.home.secrets()[role], safe="")
        return f"postgresql://{role}:{password}@/{quote(database)}?host={quote(str(self.sockets))}&port={PORT}"

    def prepare(self) -> None:
        """Make what a start needs: the data directory on first use. Raises Refused when it cannot serve."""
        for directory in (self.sockets, self._base):
            make_private(directory)
        give(self.sockets, self._account)
        self.sockets.chmod(0o700)
        version = self.data / "PG_VERSION"
        if not self.data.exists():
            self._initialise()
        if not version.is_file():
            raise Refused(f"{self.data} is not a PostgreSQL data directory: move it away to start afresh.")
        self._check(version.read_text().strip())

    def command(self) -> list[str]:
        """The command line that serves this cluster in the foreground, for a supervisor or for start()."""
        settings = settings_for(Machine.measure(self._base)) | self._settings
        server: list[str | Path] = [self.bin / "postgres", "-D", self.data, "-k", self.sockets, "-p", str(PORT)]
        for name, value in sorted(settings.items()):
            server += ["-c", f"{name}={value}"]
        user = (self._account.uid, self._account.gid) if self._account else None
        socket = self.sockets / f".s.PGSQL.{PORT}"
        return leashed(
            server,
            lock=self.home.run / "postgres.lock",
            user=user,
            signal_name="INT",
            stale=(self.data / "postmaster.pid", socket, socket.with_name(f"{socket.name}.lock")),
        )

    def start(self) -> Self:
        """Prepare, start and wait until the server answers."""
        self.prepare()
        self._process = ServerProcess(self.command(), self.log)
        try:
            self.wait(has_ended=self._process.has_ended)
        except BaseException:
            self.stop()
            raise
        return self

    def wait(self, *, has_ended: Callable[[], bool] = lambda: False, patience_s: float = START_PATIENCE_S) -> None:
        """Return once a login works: a pid file or an open socket says nothing after a crash."""
        deadline = time.monotonic() + patience_s
        while True:
            try:
                psycopg.connect(self.conninfo(ADMIN, "postgres"), connect_timeout=5).close()
            except psycopg.OperationalError as error:
                if "password authentication failed" in str(error):
                    raise Refused(f"{self.home.path}/secrets.json does not open the data in {self.data}.") from None
                if has_ended() or time.monotonic() > deadline:
                    raise Refused(f"PostgreSQL did not start:\n{last_lines(self.log)}") from error
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Stop the server this object started; committed work is safe whichever way it ends."""
        if self._process is not None:
            self._process.stop([(FAST, FAST_PATIENCE_S), (IMMEDIATE, IMMEDIATE_PATIENCE_S)])
            self._process = None

    def destroy(self) -> None:
        """Stop, and remove the data for good: for clusters that live as long as one test run."""
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.sockets, ignore_errors=True)
        if self._base != self.home.path:
            shutil.rmtree(self._base, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _place(self) -> Path:
        """Where the data is: in the home, or elsewhere when the server's user cannot get there."""
        pointer = self.home.path / "postgres.location"
        if pointer.is_file():
            return Path(pointer.read_text().strip())
        inside = self.home.path
        if self._account is None or (inside / "postgres").exists() or self._account.can_enter(inside):
            return inside
        outside = state_directory(self.home.key, self._account)
        pointer.write_text(f"{outside}\n")
        return outside

    def _initialise(self) -> None:
        """Build the data directory beside its place and move it there complete."""
        unfinished = self.data.with_name("postgres.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        make_private(unfinished)
        give(unfinished, self._account)
        with tempfile.NamedTemporaryFile("w", dir=self.sockets, prefix="initdb-") as password:
            password.write(self.home.secrets()[ADMIN])
            password.flush()
            give(Path(password.name), self._account)
            done = subprocess.run(self._initdb(unfinished, password.name), **self._as_server())
        if done.returncode:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise Refused(f"PostgreSQL could not create {self.data}: {_complaint(done.stderr)}")
        unfinished.rename(self.data)

    def _initdb(self, data: Path, password_file: str) -> list[str]:
        # The builtin locale sorts by code point on every machine, so an index never depends on a C library.
        return [
            str(self.bin / "initdb"),
            *("-D", str(data), "-U", ADMIN, "--auth=scram-sha-256", f"--pwfile={password_file}"),
            *("--encoding=UTF8", "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ]

    def _as_server(self) -> dict[str, Any]:
        options: dict[str, Any] = {"capture_output": True, "text": True, "check": False, "cwd": "/"}
        if self._account is not None:
            options |= {"user": self._account.uid, "group": self._account.gid, "extra_groups": [], "env": _PLAIN}
        return options

    def _check(self, version: str) -> None:
        if version != POSTGRES_MAJOR:
            raise Refused(
                f"{self.data} is of PostgreSQL {version}, and this Custody brings PostgreSQL {POSTGRES_MAJOR}: "
                "move the data with pg_dump, or set CUSTODY_HOME to another directory."
            )
        owner, expected = self.data.stat().st_uid, self._account.uid if self._account else os.geteuid()
        if owner != expected:
            raise Refused(
                f"{self.data} belongs to user {user_name(owner)}, but the server runs as {user_name(expected)}: "
                "start as the user who started it first, or set CUSTODY_HOME to another directory."
            )


_PLAIN = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}


def _complaint(stderr: str) -> str:
    """The line of a program's error output that says what is wrong."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    wrong = [line for line in lines if "error:" in line.lower() or "fatal" in line.lower()]
    return (wrong or lines or ["no message"])[0].strip()
