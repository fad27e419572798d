"""The installation under test: a private cluster, a private broker, workers and beat as real processes.

The workers reach PostgreSQL through a relay of ours (`chaos.proxy`), and their archive is a small file system of its
own where the machine lets us mount one.
"""

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
from pathlib import Path
from urllib.parse import quote

import psycopg
import redis

from chaos.proxy import Proxy
from console.embedded.cluster import Cluster
from console.embedded.errors import Refused
from console.embedded.process import leashed
from console.embedded.roles import APP, OWNER, ensure_roles
from console.embedded.valkey import Valkey

PROJECT = Path(__file__).resolve().parent.parent
DATABASE = "custody"
TENANT = 1
RESTARTS = 4
ARCHIVE_BYTES, ARCHIVE_ROWS = 64 * 1024 * 1024, 400
SETTINGS = {"shared_buffers": "128MB", "max_wal_size": "1GB", "log_min_messages": "panic", "deadlock_timeout": "200ms"}

# Chunks last long enough to be hit: every statement of a change waits a little, in its own transaction.
SLOW = """
CREATE FUNCTION public.chaos_slow() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN
  IF nullif(current_setting('custody.context', true), '')::jsonb ? 'change' THEN
    PERFORM pg_sleep({seconds});
  END IF;
  RETURN NULL;
END $f$;
"""
SLOW_TABLE = "CREATE TRIGGER zz_chaos AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION public.chaos_slow()"
GOVERNED = ("shop_order", "shop_orderitem", "shop_usertag", "shop_behaviourlog")


class Archive:
    """Where the workers archive: a small file system that can be filled, else a directory."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.mounted = False

    def open(self) -> None:
        self.place.mkdir(mode=0o700)
        size = f"size={ARCHIVE_BYTES}"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "custody-chaos", self.place], capture_output=True)
        self.mounted = done.returncode == 0

    def close(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "-l", self.place], check=False)
            self.mounted = False

    def fill(self) -> None:
        """Leave not one byte. Only where the file system is ours."""
        if not self.mounted:
            return
        with contextlib.suppress(OSError), open(self.place / ".full", "wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass

    def clear(self) -> None:
        (self.place / ".full").unlink(missing_ok=True)


class Stage:
    """Starts everything, hands out addresses, and knows how to kill and restart each part."""

    def __init__(self, *, chunk_rows: int, slow_s: float, naive: bool) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="custody-chaos-"))
        if os.geteuid() == 0:
            self.directory.chmod(0o711)
        self.chunk_rows, self.slow_s, self.naive = chunk_rows, slow_s, naive
        self.cluster = Cluster(self.directory, settings=SETTINGS)
        self.valkey = Valkey(self.directory)
        self.proxy: Proxy | None = None
        self.archive = Archive(self.directory / "archive")
        self.programs: dict[str, subprocess.Popen[bytes]] = {}
        self._starts = 0
        self._passwords = (secrets.token_hex(16), secrets.token_hex(16))

    def __enter__(self) -> Stage:
        try:
            self.cluster.start()
            self.valkey.start()
            self.archive.open()
            self.proxy = Proxy(self.directory / "relay", self.cluster.sockets)
            self.proxy.start()
            self._passwords = (self.cluster.home.secrets()[OWNER], self.cluster.home.secrets()[APP])
            owner, app = self._passwords
            ensure_roles(
                self.cluster.conninfo("postgres", "postgres"), owner_password=owner, app_password=app, database=DATABASE
            )
            os.environ.update(self.environment())
            self._manage("migrate", "--verbosity=0", CUSTODY_DB_LOGIN="owner")
            self._manage("provisioning", "open", CUSTODY_DB_LOGIN="owner")
            self._slow_down()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for name in list(self.programs):
            self.kill(name)
        if self.proxy is not None:
            self.proxy.close()
        self.valkey.stop()
        self.cluster.destroy()
        self.archive.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def admin(self) -> str:
        """The address of the checker and of the faults: a superuser's."""
        return self.cluster.conninfo("postgres", DATABASE)

    @property
    def app(self) -> str:
        return self.cluster.conninfo(APP, DATABASE)

    @property
    def owner(self) -> str:
        return self.cluster.conninfo(OWNER, DATABASE)

    @property
    def relayed(self) -> str:
        """The address of the application's login for the workers: through the relay."""
        return self.app.replace(quote(str(self.cluster.sockets)), quote(str(self.directory / "relay")))

    def environment(self) -> dict[str, str]:
        return {
            "BROKER_URL": self.valkey.broker_url,
            "CUSTODY_ARCHIVE_DIR": str(self.archive.place),
            "CUSTODY_ARCHIVE_ROWS": str(ARCHIVE_ROWS),
            "CUSTODY_CHUNK_ROWS": str(self.chunk_rows),
            "CUSTODY_DB_LOGIN": "app",
            "CUSTODY_DEBUG": "0",
            "CUSTODY_ENV": "production",
            "CUSTODY_HOME": str(self.directory),
            "CUSTODY_RETENTION": "standard=0d",
            "CUSTODY_SECRET_KEY": self.cluster.home.secrets()["secret_key"],
            "DATABASE_OWNER_URL": self.cluster.conninfo(OWNER, DATABASE),
            "DATABASE_URL": self.app,
            "DJANGO_SETTINGS_MODULE": "console.settings",
            "REDIS_URL": "",
        }

    def start_programs(self) -> None:
        names = ("naive1", "naive2") if self.naive else ("worker1", "worker2", "beat")
        for name in names:
            self.start(name)

    def start(self, name: str) -> None:
        """Start one of worker1, worker2, beat, naive1, naive2; PostgreSQL shows it under that name."""
        celery = [sys.executable, "-m", "celery", "-A", "console.celery"]
        command = {
            "worker": [
                *(*celery, "worker", "--concurrency", "1", "-n", f"{name}@chaos", "--loglevel", "INFO"),
                *("--without-gossip", "--without-mingle"),
            ],
            "beat": [*celery, "beat", "--pidfile=", "--loglevel", "WARNING"],
            "naive": [sys.executable, "-m", "chaos.naive"],
        }[name.rstrip("12")]
        self._starts += 1
        # On a leash: it ends with us. A lock of its own each time, for an orphan of the last one may hold that.
        leash = leashed(command, lock=self.directory / f"{name}-{self._starts}.lock")
        with open(self.directory / f"{name}.log", "ab") as log:
            self.programs[name] = subprocess.Popen(
                leash,
                cwd=PROJECT,
                env=os.environ | self.environment() | {"PGAPPNAME": name, "DATABASE_URL": self.relayed},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def workers(self) -> list[str]:
        """Names of the programs that work on changes."""
        return [name for name in list(self.programs) if name != "beat"]

    def kill(self, name: str) -> None:
        """SIGKILL for a program and all it started."""
        process = self.programs.pop(name)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def revive(self) -> None:
        """Start again what has ended, as a supervisor would."""
        for name, process in list(self.programs.items()):
            if process.poll() is not None:
                self.start(name)

    def restart_cluster(self) -> None:
        """Start the cluster again after its postmaster was killed; a backend that is still at work may keep the lock."""
        for _ in range(RESTARTS - 1):
            self.cluster.stop()
            with contextlib.suppress(Refused):
                self.cluster.start()
                return
        self.cluster.stop()
        self.cluster.start()

    def wait_for_cluster(self) -> None:
        """Return once logins work again: after a crash of one backend all the others go too."""
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.admin, connect_timeout=5).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def broker(self) -> redis.Redis:
        """The broker's own database: what waits there are Celery's messages."""
        return redis.Redis.from_url(self.valkey.cache_url.replace("db=1", "db=0"))

    def _slow_down(self) -> None:
        with psycopg.connect(self.admin, autocommit=True) as connection:
            connection.execute(SLOW.format(seconds=self.slow_s))
            for table in GOVERNED:
                connection.execute(SLOW_TABLE.format(table=table))

    def _manage(self, *arguments: str, **environment: str) -> None:
        subprocess.run([sys.executable, "manage.py", *arguments], cwd=PROJECT, env=os.environ | environment, check=True)


def signal_to(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process of ours that may be gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
