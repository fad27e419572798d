"""`python -m console.embedded.command NAME ARGUMENTS...`: a manage.py command with the servers it needs.

Uses those of a running installation; otherwise starts them, migrates, and stops them afterwards.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from types import FrameType

from console.embedded.addresses import Servers
from console.embedded.binaries import postgres_bin
from console.embedded.configuration import require_configuration
from console.embedded.environment import PROJECT, home_path, load_running
from console.embedded.errors import Refused
from console.embedded.home import Home
from console.embedded.preparation import Preparation


def main() -> int:
    signal.signal(signal.SIGTERM, _end)
    try:
        return run(sys.argv[1:])
    except Refused as refusal:
        print(f"custody: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _end(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def run(arguments: list[str]) -> int:
    home = Home.open(home_path(os.environ))
    with ExitStack() as stack:
        environment = dict(os.environ)
        if not load_running(environ=environment):
            stack.enter_context(home.lock())
            environment |= _start(home, stack)
        if shutil.which("psql") is None:
            # `dbshell` finds the one of the embedded server.
            environment["PATH"] = f"{postgres_bin(None)}{os.pathsep}{environment.get('PATH', os.defpath)}"
        command = [sys.executable, str(PROJECT / "manage.py"), *arguments]
        return subprocess.run(command, env=environment, check=False).returncode


def _start(home: Home, stack: ExitStack) -> Mapping[str, str]:
    servers = Servers.choose(home, os.environ)
    secret = os.environ.get("CUSTODY_SECRET_KEY") or home.secrets()["secret_key"]
    ours = servers.addresses | {"CUSTODY_SECRET_KEY": secret, "CUSTODY_HOME": str(home.path)}
    require_configuration(os.environ | ours)
    for server in (servers.cluster, servers.valkey):
        if server is not None:
            stack.enter_context(server)
    servers.wait(home)
    given = {name: value for name, value in os.environ.items() if name != "CUSTODY_DB_LOGIN"}
    Preparation(home, given | ours, _say).migrate()
    return ours


def _say(line: str) -> None:
    print(f"custody: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
