"""The servers of one bench run: a private PostgreSQL and Valkey, two migrations, one Celery worker."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from console.embedded.cluster import Cluster
from console.embedded.environment import PROJECT
from console.embedded.roles import ensure_roles
from console.embedded.valkey import Valkey

APPS = "pgtrigger,pghistory,bench.peers"
DATABASE = "custody"


class Stage:
    """Addresses, logins, and the worker."""

    def __init__(self, home: Path, cluster: Cluster, valkey: Valkey) -> None:
        self.home, self._cluster = home, cluster
        self.environment = {
            "CUSTODY_DB_LOGIN": "app",
            "CUSTODY_ENV": "development",
            "CUSTODY_HOME": str(home),
            "CUSTODY_SECRET_KEY": secrets.token_urlsafe(40),
            "DATABASE_URL": cluster.conninfo("custody_app", DATABASE),
            "DATABASE_OWNER_URL": cluster.conninfo("custody_owner", DATABASE),
            "BROKER_URL": valkey.broker_url,
            "REDIS_URL": valkey.cache_url,
            "DJANGO_SETTINGS_MODULE": "console.settings",
            # No beat wakes what waits here, and a figure is to be the engine's own.
            **{f"CUSTODY_THROTTLE_{name}": "0" for name in ("REPLICA_LAG", "LOCK_WAIT", "WAL", "MAINTENANCE", "API")},
        }
        self._worker: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Roles, then the project's migrations, then the peers' tables, whose triggers need the former."""
        passwords = self._cluster.home.secrets()
        ensure_roles(
            self._cluster.conninfo("postgres", "postgres"),
            owner_password=passwords["custody_owner"],
            app_password=passwords["custody_app"],
            database=DATABASE,
        )
        self._manage("migrate", "--verbosity=0")
        self._manage("provisioning", "open")
        self.environment["CUSTODY_APPS"] = APPS
        self._manage("migrate", "--run-syncdb", "--verbosity=0")
        self._manage("pgtrigger", "install")
        os.environ.update(self.environment)

    def owner(self) -> psycopg.Connection[Any]:
        """The owner's login, all tenants in sight, autocommit."""
        connection = psycopg.connect(self.environment["DATABASE_OWNER_URL"], autocommit=True)
        connection.execute("SET custody.all_tenants = 'on'; SET custody.mass_write = 'bench'")
        return connection

    def application(self) -> psycopg.Connection[Any]:
        """The application's login, autocommit."""
        return psycopg.connect(self.environment["DATABASE_URL"], autocommit=True)

    def checkpoint(self) -> None:
        with psycopg.connect(self._cluster.conninfo("postgres", DATABASE), autocommit=True) as admin:
            admin.execute("CHECKPOINT")

    def settings(self) -> dict[str, str]:
        """What the figures depend on."""
        names = ("server_version", "shared_buffers", "max_wal_size", "work_mem", "fsync", "synchronous_commit",
                 "full_page_writes", "wal_compression", "jit", "data_checksums")  # fmt: skip
        with self.owner() as owner:
            rows = owner.execute(
                "SELECT name, current_setting(name) FROM unnest(%s::text[]) name", [list(names)]
            ).fetchall()
        return dict(rows)

    def start_worker(self) -> None:
        """Once for all figures that need it."""
        if self._worker is not None:
            return
        log = open(self.home / "worker.log", "ab")  # noqa: SIM115 - belongs to the worker
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "console.celery", "worker", "--concurrency=2", "--loglevel=WARNING"],
            cwd=PROJECT,
            env=os.environ | self.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def worker_pids(self) -> list[int]:
        """The worker and its children."""
        assert self._worker is not None
        children = Path(f"/proc/{self._worker.pid}/task/{self._worker.pid}/children").read_text().split()
        return [self._worker.pid, *(int(pid) for pid in children)]

    def stop_worker(self) -> None:
        if self._worker is None:
            return
        self._worker.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._worker.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._worker.pid, signal.SIGKILL)
        self._worker.wait()

    def _manage(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env=os.environ | self.environment | {"CUSTODY_DB_LOGIN": "owner"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"manage.py {' '.join(arguments)}:\n{done.stdout}{done.stderr}")


@contextmanager
def staged() -> Iterator[Stage]:
    """Everything up; everything away again afterwards, whatever happened."""
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "CUSTODY_APPS"):
        os.environ.pop(name, None)
    home = Path(tempfile.mkdtemp(prefix="custody-bench-"))
    if os.geteuid() == 0:
        home.chmod(0o711)
    cluster, valkey, stage = Cluster(home), Valkey(home), None
    try:
        cluster.start()
        valkey.start()
        stage = Stage(home, cluster, valkey)
        began = time.monotonic()
        stage.prepare()
        print(f"PostgreSQL and Valkey ready, migrated in {time.monotonic() - began:.0f} s.", flush=True)
        yield stage
    finally:
        if stage is not None:
            stage.stop_worker()
        valkey.stop()
        cluster.destroy()
        shutil.rmtree(home, ignore_errors=True)
