"""Our processes under supervisord: it restarts what dies, and nothing outlives it.

The launcher starts supervisord first, which starts the servers; the rest waits until the database is
ready for it. Command lines travel in the environment, so no path needs supervisord's quoting rules.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shlex
import signal
import subprocess
import sys
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from console.embedded.home import Home, write_private
from console.embedded.process import leashed

STOP_PATIENCE_S = 14.0

SUPERVISORD = """\
[supervisord]
nodaemon=true
silent=true
umask=077
logfile=%(here)s/../log/supervisord.log
logfile_maxbytes=5MB
logfile_backups=1
loglevel=info
pidfile=%(here)s/supervisord.pid
childlogdir=%(here)s
{user}
[unix_http_server]
file=%(ENV_CUSTODY_SUPERVISOR_SOCKET)s
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

PROGRAM = """
[program:{name}]
command=%(ENV_CUSTODY_PROGRAM_{name})s
autostart={autostart}
autorestart=true
startsecs=1
startretries=1000000
stopsignal={stopsignal}
stopwaitsecs={grace}
killasgroup=true
redirect_stderr=true
stdout_logfile=%(here)s/../log/{name}.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=2
"""

GROUP = """
[group:{name}]
programs={programs}
priority={priority}
"""
# The servers start first and stop last; those of a group stop at the same time.
SERVERS, SITE = "servers", "site"
PRIORITIES = {SERVERS: 10, SITE: 20}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One process to keep alive, in group SERVERS or SITE."""

    name: str
    command: Sequence[str]
    group: str
    grace_s: int
    autostart: bool = False
    stop_signal: str = "TERM"


@dataclass(frozen=True, slots=True)
class State:
    name: str
    running: bool
    pid: int
    detail: str


class Supervisor:
    """supervisord as a child of the launcher, and the calls we make to it."""

    def __init__(self, home: Home, programs: Sequence[Program], environment: Mapping[str, str]) -> None:
        self._home = home
        self._programs = list(programs)
        self._socket = home.sockets() / "supervisor.sock"
        self._environment = dict(environment) | {"CUSTODY_SUPERVISOR_SOCKET": str(self._socket)}
        for program in programs:
            self._environment[f"CUSTODY_PROGRAM_{program.name}"] = shlex.join(program.command)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start supervisord and the programs with `autostart`."""
        configuration = self._home.run / "supervisord.conf"
        write_private(configuration, configuration_text(self._programs))
        command = leashed(
            [sys.executable, "-m", "supervisor.supervisord", "-c", configuration],
            lock=self._home.run / "supervisord.lock",
            stale=(self._socket, self._home.run / "supervisord.pid"),
        )
        # A session of its own: Ctrl-C must reach the launcher only, which stops things in order.
        self._process = subprocess.Popen(
            command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def start_program(self, name: str) -> None:
        group = next(program.group for program in self._programs if program.name == name)
        self._call("startProcess", f"{group}:{name}", False)

    def states(self) -> list[State]:
        """What supervisord knows about each program; empty while it does not answer."""
        try:
            found: Any = self._call("getAllProcessInfo")
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return []
        return [
            State(info["name"], info["statename"] in ("RUNNING", "STARTING"), info["pid"], info["description"])
            for info in found
        ]

    def stop(self) -> None:
        """Stop everything in order; what is left after STOP_PATIENCE_S is killed."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_PATIENCE_S)
        if self._process.poll() is None:
            self._process.kill()  # the leash ends its children
            self._process.wait()

    def _call(self, method: str, *arguments: Any) -> Any:
        transport = SupervisorTransport(None, None, serverurl=f"unix://{self._socket}")
        with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as server:
            return getattr(server.supervisor, method)(*arguments)


def configuration_text(programs: Sequence[Program]) -> str:
    # Told its user, supervisord does not warn that it runs as root.
    text = SUPERVISORD.format(user="user=root\n" if os.geteuid() == 0 else "")
    for program in programs:
        text += PROGRAM.format(
            name=program.name,
            autostart=str(program.autostart).lower(),
            stopsignal=program.stop_signal,
            grace=program.grace_s,
        )
    for group, priority in PRIORITIES.items():
        names = [program.name for program in programs if program.group == group]
        if names:
            text += GROUP.format(name=group, programs=",".join(names), priority=priority)
    return text


def our_program(home: Home, name: str, module: str, *arguments: str, grace_s: int) -> Program:
    """A Python program of this installation, on its leash."""
    command = leashed([sys.executable, "-m", module, *arguments], lock=home.run / f"{name}.lock")
    return Program(name=name, command=command, group=SITE, grace_s=grace_s)


def log_of(home: Home, name: str) -> Path:
    return home.log / f"{name}.log"
