"""The addresses our processes are started with, and how a command in another terminal finds them."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from urllib.parse import quote, urlsplit

PROJECT = Path(__file__).resolve().parent.parent.parent


def home_path(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("CUSTODY_HOME") or PROJECT / "var")


def running_file(home: Path) -> Path:
    """Written by `python -m console.embedded.run`, removed when it stops."""
    return home / "run" / "environment.json"


def lock_file(home: Path) -> Path:
    """Locked while `python -m console.embedded.run` lives; a killed one leaves the file, not the lock."""
    return home / "run" / "custody.lock"


def is_running(home: Path) -> bool:
    try:
        with open(lock_file(home)) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def load_running(environ: MutableMapping[str, str] | None = None) -> bool:
    """Fill in what a running installation uses, unless the environment names a database itself."""
    environ = os.environ if environ is None else environ
    if environ.get("DATABASE_URL") or not is_running(home_path(environ)):
        return False
    try:
        kept: dict[str, str] = json.loads(running_file(home_path(environ)).read_text())
    except (OSError, ValueError):
        return False
    for name, value in kept.items():
        environ.setdefault(name, value)
    return True


def address(url: str, *, user: str, password: str, database: str | None = None) -> str:
    """The same server as in `url`, another login and, when given, another database."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    path = parts.path if database is None else f"/{quote(database, safe='')}"
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return parts._replace(netloc=f"{login}@{place}", path=path).geturl()
