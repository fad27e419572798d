"""Workers that kill themselves at the Nth SQL statement they send: `python -m tests.changes.crashing_worker`.

A program of its own reads `<change> <number> before|after` per line, forks a worker for it and answers with the worker's
exit code, so that each kill is a real SIGKILL in the middle of real work, and costs no start of Python.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import Any

from tests.servers import PROJECT


class KillAt:
    """An execute wrapper that counts statements; before or after the Nth one the process is gone."""

    def __init__(self, number: int, *, after: bool) -> None:
        self.left, self.after = number, after

    def __call__(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, details: dict[str, Any]) -> Any:
        self.left -= 1
        if self.left == 0 and not self.after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = execute(sql, params, many, details)
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result


class DyingWorkers:
    """The program, driven from a test."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.trials = self.kills = 0
        self.program = subprocess.Popen(
            [sys.executable, "-m", "tests.changes.crashing_worker"],
            cwd=PROJECT,
            env=environment | {"CUSTODY_CHUNK_ROWS": "2"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def crash(self, change: int, number: int, moment: str) -> bool:
        """Let a worker die at its Nth statement. Return whether it came that far."""
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        self.program.stdin.write(f"{change} {number} {moment}\n")
        self.program.stdin.flush()
        code = int(self.program.stdout.readline())
        assert code in (0, -signal.SIGKILL), f"the worker ended with {code}"
        self.trials += 1
        self.kills += code != 0
        return code != 0

    def close(self) -> None:
        self.program.communicate()


def main() -> None:
    import django

    django.setup()
    for line in sys.stdin:
        change, number, moment = line.split()
        child = os.fork()
        if child == 0:
            _work(int(change), int(number), after=moment == "after")
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _work(change: int, number: int, *, after: bool) -> None:
    """Never returns."""
    from django.db import connection

    from changes import execution
    from foundation.actor import Actor
    from foundation.context import acting

    try:
        connection.ensure_connection()
        with (
            connection.execute_wrapper(KillAt(number, after=after)),
            acting(Actor.service("worker", tenant_id=1), channel="task"),
        ):
            while execution.work(change, worker=f"crashing {number}"):
                pass
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
