"""Runs one program that ends with its parent, one at a time per lock file.

    leash.py --lock FILE [--user UID:GID] [--signal NAME] [--stale FILE] -- PROGRAM ARGUMENT...

The lock is inherited by everything the program starts, so it is free only when the last of them is
gone: a new postmaster cannot meet the backends of one that was killed. With the lock in hand, a pid
file that is still there belongs to nobody and is removed. Standard library only, run by path.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import fcntl
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
PATIENCE_S = 30.0


def main() -> None:
    options = _options()
    parent = os.getppid()
    if options.lock and not _hold(options.lock):
        sys.exit(f"leash: {options.lock} is still held after {PATIENCE_S:.0f} s.")
    for stale in options.stale:
        _remove(stale)
    if options.user:
        _become(*(int(part) for part in options.user.split(":")))
    _die_with_parent(signal.Signals[f"SIG{options.signal}"], parent)
    os.execvp(options.program[0], options.program)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lock")
    parser.add_argument("--user")
    parser.add_argument("--signal", default="TERM")
    parser.add_argument("--stale", action="append", default=[])
    parser.add_argument("program", nargs="+")
    return parser.parse_args()


def _hold(path: str) -> bool:
    """Take the lock for this process and its descendants; wait for those of an earlier one to end."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(handle, True)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES) or time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        else:
            return True


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _become(uid: int, gid: int) -> None:
    """Another user, with nothing of ours in the environment: it holds passwords."""
    os.setgroups([gid])
    os.setgid(gid)
    os.setuid(uid)
    os.chdir("/")
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL", "TZ")}
    os.environ.clear()
    os.environ.update(kept)


def _die_with_parent(number: signal.Signals, parent: int) -> None:
    """Ask the kernel for a signal when the parent ends. Elsewhere than on Linux there is no such thing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("leash: the parent ended first.")


if __name__ == "__main__":
    main()
