"""What must be done between the servers and the site: migrations, static files, demo data."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg

from console.embedded.environment import PROJECT
from console.embedded.errors import Refused
from console.embedded.home import Home, write_private

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
        """The table of demo logins, made on the first start and kept; empty in production."""
        kept = self._home.path / "demo_logins.txt"
        if not kept.exists():
            if self._is_production:
                return ""
            write_private(kept, self._manage("demo_logins").strip("\n"))
        return kept.read_text()

    @property
    def _is_production(self) -> bool:
        return self._environment.get("CUSTODY_ENV") == "production"

    def migrate(self) -> None:
        """Migrate unless these very migrations were applied to this very database at the last start."""
        mark = self._home.path / "migrated.fingerprint"
        if mark.is_file() and mark.read_text() == self._migration_fingerprint():
            return
        self._timed("Migrating the database", "migrate", "--no-input", "--verbosity=0")
        mark.write_text(self._migration_fingerprint())

    def _migration_fingerprint(self) -> str:
        """Over the migrations as files and as the database lists them."""
        apps = Path(self._environment.get("CUSTODY_APPS_PATH") or self._home.path / "apps")
        files = [*PROJECT.glob("*/migrations/*.py"), *apps.glob("*/migrations/*.py"), PROJECT / "requirements.txt"]
        digest = hashlib.sha256(repr(applied_migrations(self._environment["DATABASE_OWNER_URL"])).encode())
        digest.update(self._environment.get("CUSTODY_ENV", "").encode())  # limits and rules follow it
        for file in sorted(files):
            digest.update(os.fsencode(file.name) + file.read_bytes())
        return digest.hexdigest()

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


def applied_migrations(owner_url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(owner_url) as connection:
        where = "SELECT system_identifier, current_database() FROM pg_control_system()"
        found = connection.execute(where).fetchall()
        if connection.execute("SELECT to_regclass('public.django_migrations')").fetchone() != (None,):
            found += connection.execute("SELECT app, name FROM django_migrations ORDER BY id").fetchall()
    return found


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
