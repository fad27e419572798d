"""The tests marked `services`, against PostgreSQL, Redis and RabbitMQ of the distribution.

Each server is private to this run: its own directory, port and passwords. What is not installed is
left out and named; with CI=true that is a failure.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

PROJECT = Path(__file__).resolve().parent.parent
PATIENCE_S = 90.0
# The record and the main job; the rest runs against the embedded PostgreSQL in `make test`.
LANE = ["tests/services", "tests/audit", "--ignore=tests/audit/adoption"]


class Missing(Exception):
    """A service is not installed here."""


def main() -> int:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))  # stop the servers on the way out
    environment, missing = dict(os.environ), []
    with ExitStack() as stack:
        for start in (postgresql, redis, rabbitmq):
            try:
                environment |= stack.enter_context(start())
            except Missing as error:
                missing.append(str(error))
        print(f"services: not installed: {', '.join(missing)}" if missing else "services: all are up", flush=True)
        if "TEST_DATABASE_ADMIN_URL" not in environment or (missing and os.environ.get("CI") == "true"):
            return 1
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-n",
            "auto",
            "--dist",
            "loadfile",
            "-m",
            "services",
            *(sys.argv[1:] or LANE),
        ]
        return subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode


@contextmanager
def postgresql() -> Iterator[dict[str, str]]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        raise Missing("postgresql")
    binaries, port, password = found[0], free_port(), secrets.token_urlsafe(16)
    with directory("postgres") as (home, as_user):
        (home / "password").write_text(password)
        login = ("-U", "postgres", "-A", "scram-sha-256", f"--pwfile={home / 'password'}")
        as_user([binaries / "initdb", "-D", home / "data", *login, "--encoding=UTF8", "--locale=C.UTF-8"])
        settings = ["-c", f"port={port}", "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={home}"]
        for unneeded in ("fsync", "synchronous_commit", "full_page_writes"):  # the data goes with the run
            settings += ["-c", f"{unneeded}=off"]
        url = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
        with server([binaries / "postgres", "-D", home / "data", *settings], home, "postgres"):
            wait_for(lambda: psycopg.connect(url).close())
            version = subprocess.check_output([binaries / "postgres", "--version"], text=True).strip()
            print(f"services: {version}", flush=True)
            yield {"TEST_DATABASE_ADMIN_URL": url}


@contextmanager
def redis() -> Iterator[dict[str, str]]:
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise Missing("redis-server")
    port, password = free_port(), secrets.token_urlsafe(16)
    with directory(None) as (home, _):
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", home, "--requirepass", password]
        with server(command, home, None):
            wait_for(lambda: socket.create_connection(("127.0.0.1", port), 1).close())
            yield {"TEST_REDIS_URL": f"redis://:{password}@127.0.0.1:{port}/0"}


@contextmanager
def rabbitmq() -> Iterator[dict[str, str]]:
    program = shutil.which("rabbitmq-server")
    if program is None:
        raise Missing("rabbitmq-server")
    port, dist = free_port(), free_port()
    with directory("rabbitmq") as (home, _):
        (home / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
        environment = os.environ | {
            "ERL_EPMD_PORT": str(free_port()),  # its name server is ours too, and ends with us
            "HOME": str(home),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_DIST_PORT": str(dist),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_LOG_BASE": str(home),
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_NODENAME": f"custody{port}@localhost",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
        }
        try:
            with server([program], home, "rabbitmq", environment):
                wait_for(lambda: socket.create_connection(("127.0.0.1", port), 1).close())
                yield {"TEST_AMQP_URL": f"amqp://guest:guest@127.0.0.1:{port}//"}
        finally:
            wait_for(lambda: end_name_server(environment))


def end_name_server(environment: dict[str, str]) -> None:
    """Raises OSError while the name server still knows a node, which it then refuses to leave."""
    done = subprocess.run(["epmd", "-kill"], env=environment, capture_output=True, check=False)
    if b"not allowed" in done.stdout + done.stderr:
        raise OSError("epmd still knows a node")


@contextmanager
def directory(user: str | None) -> Iterator[tuple[Path, Callable[[list[object]], None]]]:
    """A private directory, and a way to run a command as the service's own user when we are root."""
    home = Path(tempfile.mkdtemp(prefix="custody-services-"))
    account = user if os.geteuid() == 0 and user else None
    if account:
        entry = pwd.getpwnam(account)
        os.chown(home, entry.pw_uid, entry.pw_gid)

    def run(command: list[object]) -> None:
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, user=account, cwd=home)

    try:
        yield home, run
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def server(
    command: list[object], home: Path, user: str | None, environment: dict[str, str] | None = None
) -> Iterator[None]:
    """Run a server in the foreground until the block ends."""
    account = user if os.geteuid() == 0 and user else None
    with open(home / "output.log", "wb") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=environment,
            stdout=log,
            stderr=log,
            cwd=home,
            user=account,
            group=account,
            extra_groups=[] if account else None,
            start_new_session=True,
        )
        try:
            yield
        finally:
            # The whole group: RabbitMQ's server is a grandchild.
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(process.pid, number)
                    process.wait(30)


def wait_for(attempt: Callable[[], None]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            attempt()
        except (OSError, psycopg.OperationalError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
