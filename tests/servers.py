"""The servers of one test session and the databases on them.

One private PostgreSQL (or the one of TEST_DATABASE_ADMIN_URL), one template database migrated by the
owner, and clones of it: one per xdist worker for tests that roll back, one per test that commits.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from console.embedded.cluster import Cluster
from console.embedded.environment import address
from console.embedded.roles import APP, OWNER, ensure_roles

PROJECT = Path(__file__).resolve().parent.parent
TEMPLATE = "custody_template"
# The data of a test run is thrown away, so nothing is flushed to a disk. Tests that kill a server start their own.
DISPOSABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
IN_MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 6 * 1024**3


@dataclass(frozen=True, slots=True)
class Servers:
    """What every process of the session must know; travels to xdist workers as text."""

    directory: str
    admin_url: str
    owner_password: str
    app_password: str
    secret_key: str

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Servers:
        return cls(**json.loads(text))

    @property
    def path(self) -> Path:
        return Path(self.directory)

    def owner_url(self, database: str) -> str:
        return address(self.admin_url, user=OWNER, password=self.owner_password, database=database)

    def app_url(self, database: str) -> str:
        return address(self.admin_url, user=APP, password=self.app_password, database=database)

    def environment(self, database: str) -> dict[str, str]:
        """For this process and for the ones it starts."""
        return {
            "CUSTODY_DB_LOGIN": "app",
            "CUSTODY_DEBUG": "1",
            "CUSTODY_ENV": "development",
            "CUSTODY_HOME": self.directory,
            "CUSTODY_SECRET_KEY": self.secret_key,
            "DATABASE_OWNER_URL": self.owner_url(database),
            "DATABASE_URL": self.app_url(database),
            "DJANGO_SETTINGS_MODULE": "console.settings",
            "BROKER_URL": "memory://",
            "REDIS_URL": "",
            # Tests share one server: what others do there must not slow a run. The tests of the signals turn them on.
            "CUSTODY_THROTTLE_REPLICA_LAG": "0",
            "CUSTODY_THROTTLE_LOCK_WAIT": "0",
            "CUSTODY_THROTTLE_WAL": "0",
            "CUSTODY_THROTTLE_MAINTENANCE": "0",
            "CUSTODY_THROTTLE_API": "0",
            # Personas begin with a proof, which must outlast the slowest test. What is older is made so by the owner.
            "CUSTODY_STEP_UP_SECONDS": "3600",
        }

    def ensure_template(self) -> None:
        """Migrate the template database, once per session, whichever process comes first."""
        done = self.path / "template.done"
        with open(self.path / "template.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if done.exists():
                return
            ensure_roles(
                self.admin_url,
                owner_password=self.owner_password,
                app_password=self.app_password,
                database=TEMPLATE,
            )
            owner = self.environment(TEMPLATE) | {"CUSTODY_DB_LOGIN": "owner"}
            manage(owner, "migrate", "--verbosity=0")
            # Personas are made by the application's login; the tests of amendments close this again.
            manage(owner, "provisioning", "open")
            done.touch()

    def clone(self, name: str) -> None:
        self.ensure_template()
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            names = {"name": sql.Identifier(name), "owner": sql.Identifier(OWNER), "source": sql.Identifier(TEMPLATE)}
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {name} WITH (FORCE)").format(**names))
            # Files, not log records: a tenth of the time for a small database, and the log stays small.
            made = "CREATE DATABASE {name} OWNER {owner} TEMPLATE {source} STRATEGY file_copy"
            admin.execute(sql.SQL(made).format(**names))

    def drop(self, name: str) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def session_servers() -> Iterator[Servers]:
    """Start what the session needs, and leave nothing behind."""
    directory = Path(tempfile.mkdtemp(prefix="custody-test-", dir=memory_place()))
    if os.geteuid() == 0:
        directory.chmod(0o711)  # the user PostgreSQL runs as passes through here
    cluster = None
    try:
        admin_url = os.environ.get("TEST_DATABASE_ADMIN_URL", "")
        if not admin_url:
            settings = {"shared_buffers": "256MB", "max_wal_size": "1GB"} | DISPOSABLE
            cluster = Cluster(directory, settings=settings).start()
            admin_url = cluster.conninfo("postgres", "postgres")
        fresh = (secrets.token_urlsafe(24) for _ in range(2))
        yield Servers(str(directory), admin_url, next(fresh), next(fresh), secrets.token_urlsafe(40))
    finally:
        if cluster is not None:
            cluster.destroy()
        shutil.rmtree(directory, ignore_errors=True)


def memory_place() -> Path | None:
    """A file system in memory with room for a session, where there is one: clones take a fifth of the time there."""
    if not (os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > MEMORY_NEEDED):
        return None
    free = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return IN_MEMORY if free and int(free[1]) * 1024 > MEMORY_NEEDED else None


def manage(environment: dict[str, str], *arguments: str) -> str:
    """Run manage.py; its output, or a failure that shows it."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"manage.py {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
