"""A worker that kills itself at the Nth SQL statement it sends: `python -m tests.changes.crashing_worker`.

Run as a program of its own, so that the kill is a real SIGKILL in the middle of real work.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any


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


def main() -> None:
    import django

    django.setup()
    from django.db import connection

    from changes import execution
    from foundation.actor import Actor
    from foundation.context import acting

    change, number, after = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "after"
    connection.ensure_connection()
    with (
        connection.execute_wrapper(KillAt(number, after=after)),
        acting(Actor.service("worker", tenant_id=1), channel="task"),
    ):
        while execution.work(change, worker=f"crashing {number}"):
            pass


if __name__ == "__main__":
    main()
