"""What must be done between the servers and the site: migrations, static files, demo data."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from console.embedded.environment import PROJECT
from console.embedded.errors import Refused
from console.embedded.home import Home

Say = Callable[[str], None]


class Preparation:
    """The steps of a start, each skipped when there is nothing to do."""

    def __init__(self, home: Home, environment: Mapping[str, str], say: Say) -> None:
        self._home, self._environment, self._say = home, dict(environment), say

    def run(self) -> None:
        self._collect_static()
        self.migrate()
        self._load_demo()

    def demo_logins(self) -> str:
        """The table of demo logins, made on the first start; empty in production."""
        return "" if self._is_production else self._manage("demo_logins").strip()

    @property
    def _is_production(self) -> bool:
        return self._environment.get("CUSTODY_ENV") == "production"

    def migrate(self) -> None:
        if self._succeeds("migrate", "--check"):
            return
        self._timed("Migrating the database", "migrate", "--no-input", "--verbosity=0")

    def _collect_static(self) -> None:
        mark, now = self._home.path / "static.fingerprint", static_fingerprint(PROJECT)
        if mark.is_file() and mark.read_text() == now:
            return
        self._timed("Collecting static files", "collectstatic", "--no-input", "--clear", "--verbosity=0")
        mark.write_text(now)

    def _load_demo(self) -> None:
        mark = self._home.path / "demo.done"
        if self._is_production or mark.exists():
            return
        self._timed("Loading demo data", "demo", "--scale", "small", "--if-empty")
        mark.touch()

    def _timed(self, what: str, *command: str) -> None:
        began = time.monotonic()
        self._say(f"{what} ...")
        self._manage(*command)
        self._say(f"{what}: done in {time.monotonic() - began:.1f} s")

    def _manage(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode:
            complaint = (done.stderr or done.stdout).strip().splitlines()[-15:]
            raise Refused(f"`manage.py {' '.join(arguments)}` failed:\n" + "\n".join(complaint))
        return done.stdout

    def _succeeds(self, *arguments: str) -> bool:
        return self._run(*arguments).returncode == 0

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(PROJECT / "manage.py"), *arguments],
            env=self._environment,
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def static_fingerprint(project: Path) -> str:
    """Changes when a static file of ours or a pinned package does."""
    digest = hashlib.sha256()
    for pattern in ("requirements.txt", "*/static/**/*"):
        for file in sorted(project.glob(pattern)):
            if file.is_file():
                facts = file.stat()
                digest.update(f"{file.relative_to(project)}|{facts.st_size}|{facts.st_mtime_ns}\n".encode())
    digest.update(os.fsencode(sys.prefix))
    return digest.hexdigest()
