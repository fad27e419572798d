"""Starts and stops one server as a child of this process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

LEASH = Path(__file__).with_name("leash.py")


def leashed(
    program: Sequence[str | Path],
    *,
    lock: Path,
    user: tuple[int, int] | None = None,
    signal_name: str = "TERM",
    stale: Sequence[Path] = (),
) -> list[str]:
    """The command line that runs a program through leash.py."""
    command = [sys.executable, "-I", str(LEASH), "--lock", str(lock), "--signal", signal_name]
    if user is not None:
        command += ["--user", f"{user[0]}:{user[1]}"]
    for file in stale:
        command += ["--stale", str(file)]
    return [*command, "--", *map(str, program)]


class ServerProcess:
    """A server that writes to a log file and ends when its starter does."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.log = log
        with open(log, "ab", opener=_owner_only) as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def stop(self, steps: Sequence[tuple[signal.Signals, float]]) -> None:
        """Send each signal in turn until the process ends within its time; at last SIGKILL."""
        for number, patience in (*steps, (signal.SIGKILL, 10.0)):
            if self.has_ended():
                return
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)

    def last_lines(self, count: int = 5) -> str:
        return last_lines(self.log, count)


def last_lines(log: Path, count: int = 5) -> str:
    with contextlib.suppress(OSError), open(log, "rb") as file:
        file.seek(max(0, os.path.getsize(log) - 8192))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])
    return ""


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
