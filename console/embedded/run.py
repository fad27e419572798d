"""`python -m console.embedded.run`: everything Custody needs, started, watched and stopped together.

Progress goes to standard output, a refusal is one sentence on standard error with exit status 1.
Ctrl-C, SIGTERM and a closed terminal stop everything in order; the exit status is then 0.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Mapping
from types import FrameType

from console.embedded.addresses import Servers
from console.embedded.configuration import require_configuration
from console.embedded.environment import home_path, running_file
from console.embedded.errors import Refused
from console.embedded.home import Home, write_private
from console.embedded.preparation import Preparation
from console.embedded.process import last_lines
from console.embedded.supervision import SERVERS, Program, State, Supervisor, log_of, our_program

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ANSWER_PATIENCE_S = 90.0
WATCH_EVERY_S = 1.0


class Stop(BaseException):
    """Someone asked us to end."""


def main() -> int:
    for number in STOPPING:
        signal.signal(number, _ask_to_stop)
    try:
        Launch(os.environ).run()
    except Refused as refusal:
        print(f"custody: {refusal}", file=sys.stderr, flush=True)
        return 1
    except Stop:
        return 0
    return 0


def _ask_to_stop(number: int, frame: FrameType | None) -> None:
    for each in STOPPING:
        signal.signal(each, signal.SIG_IGN)  # once is enough: stopping is under way
    raise Stop


class Launch:
    """One start, from the checks to the end."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._began = time.monotonic()
        self._port = port_number(environ.get("PORT") or "8000")
        self._host = environ.get("CUSTODY_BIND") or "127.0.0.1"
        # Under make we are make's: a killed make must not leave us behind.
        self._parent = os.getppid() if "MAKELEVEL" in environ else None

    def run(self) -> None:
        """Serve until something raises: Stop, or Refused when it cannot go on."""
        home = Home.open(home_path(self._environ))
        with home.lock():
            require_free_port(self._host, self._port)
            servers = Servers.choose(home, self._environ)
            environment = self._environment(home, servers)
            require_configuration(environment)
            supervisor = Supervisor(home, [*server_programs(servers), *self._site_programs(home)], environment)
            try:
                self._bring_up(home, servers, supervisor, environment)
                self._watch(supervisor)
            finally:
                say("Stopping ...")
                running_file(home.path).unlink(missing_ok=True)
                supervisor.stop()
                say("Stopped. All data is kept.")

    def _environment(self, home: Home, servers: Servers) -> dict[str, str]:
        """What our processes are started with; the environment's own values go first."""
        ours = {"CUSTODY_SECRET_KEY": home.secrets()["secret_key"], "PYTHONUNBUFFERED": "1"}
        given = {name: value for name, value in self._environ.items() if name != "CUSTODY_DB_LOGIN"}
        return ours | given | servers.addresses | {"CUSTODY_HOME": str(home.path)}

    def _site_programs(self, home: Home) -> list[Program]:
        web = (
            *("console.wsgi:application", "--bind", f"{self._host}:{self._port}", "--no-control-socket"),
            *("--worker-class", "gthread", "--workers", "2", "--threads", "4", "--preload", "--graceful-timeout", "5"),
        )
        celery = ("-A", "console.celery")
        worker = (
            *celery,
            "worker",
            "--concurrency",
            "2",
            "--without-gossip",
            "--without-mingle",
            "--loglevel",
            "WARNING",
        )
        beat = (*celery, "beat", "--pidfile=", "--loglevel", "WARNING")
        return [
            our_program(home, "web", "gunicorn", *web, grace_s=6),
            our_program(home, "worker", "celery", *worker, grace_s=6),
            our_program(home, "beat", "celery", *beat, grace_s=3),
        ]

    def _bring_up(self, home: Home, servers: Servers, supervisor: Supervisor, environment: dict[str, str]) -> None:
        say(f"Data in {home.path}")
        for server in (servers.cluster, servers.valkey):
            if server is not None:
                server.prepare()
        supervisor.start()
        servers.wait(home, has_ended=supervisor.has_ended)
        say("Database and queue are up")
        preparation = Preparation(home, environment, say)
        preparation.run()
        supervisor.start_program("web")
        shown = ("CUSTODY_SECRET_KEY", "CUSTODY_HOME", "CUSTODY_ENV", *servers.addresses)
        kept = {name: environment[name] for name in shown if environment.get(name)}
        write_private(running_file(home.path), json.dumps(kept, indent=1))
        logins = preparation.demo_logins()
        self._wait_for_answer(home)
        for name in ("worker", "beat"):
            supervisor.start_program(name)
        say(f"Ready after {time.monotonic() - self._began:.1f} s\n")
        print(f"Custody is at http://{shown_host(self._host)}:{self._port}/admin/\n\n{logins}\n", flush=True)
        say(f"Logs are in {home.log}. Ctrl-C stops everything.")

    def _wait_for_answer(self, home: Home) -> None:
        url = f"http://{shown_host(self._host)}:{self._port}/healthz"
        deadline = time.monotonic() + ANSWER_PATIENCE_S
        while True:
            try:
                urllib.request.urlopen(url, timeout=5).close()
            except OSError:
                if time.monotonic() > deadline:
                    raise Refused(f"The site does not answer:\n{last_lines(log_of(home, 'web'), 15)}") from None
                time.sleep(0.1)
            else:
                return

    def _watch(self, supervisor: Supervisor) -> None:
        """Tell about restarts until someone asks us to stop, or who started us is gone."""
        before = {state.name: state for state in supervisor.states()}
        had_terminal = sys.stdout.isatty()
        while self._parent in (None, os.getppid()) and sys.stdout.isatty() == had_terminal:
            time.sleep(WATCH_EVERY_S)
            if supervisor.has_ended():
                raise Refused("The supervisor ended unexpectedly; starting again brings everything back.")
            now = {state.name: state for state in supervisor.states()}
            for line in restarts(before, now):
                say(line)
            before |= now
        raise Stop


def server_programs(servers: Servers) -> list[Program]:
    programs = []
    if servers.cluster is not None:
        command = servers.cluster.command()
        programs.append(
            Program(name="postgres", command=command, group=SERVERS, grace_s=6, stop_signal="INT", autostart=True)
        )
    if servers.valkey is not None:
        command = servers.valkey.command()
        programs.append(Program(name="valkey", command=command, group=SERVERS, grace_s=3, autostart=True))
    return programs


def restarts(before: Mapping[str, State], now: Mapping[str, State]) -> list[str]:
    """One line for each program that ended or came back between two looks."""
    lines = []
    for name, state in now.items():
        earlier = before.get(name)
        if earlier is None or (earlier.running, earlier.pid) == (state.running, state.pid):
            continue
        lines.append(f"{name} runs again, process {state.pid}" if state.running else f"{name} ended: {state.detail}")
    return lines


def port_number(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise Refused(f"PORT={text!r} is not a port number.")
    return int(text)


def require_free_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Refused(
                f"Cannot listen on {host}:{port} ({error.strerror}): choose another port, for example `PORT=8001`."
            ) from None


def shown_host(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104


def say(line: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone, and stopping must go on
        print(f"custody: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
