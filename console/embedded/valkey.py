"""An embedded Valkey: the cache and the broker of the default installation.

It listens on a private unix socket only and keeps an append-only file, so queued messages survive it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from console.embedded.binaries import valkey_server
from console.embedded.errors import Refused
from console.embedded.home import Home, make_private, write_private
from console.embedded.process import ServerProcess, last_lines, leashed

BROKER_DATABASE, CACHE_DATABASE = 0, 1
START_PATIENCE_S = 60.0
STOP_PATIENCE_S = 5.0

CONFIGURATION = """\
port 0
unixsocket "{socket}"
unixsocketperm 700
requirepass {password}
dir "{data}"
dbfilename dump.rdb
save ""
appendonly yes
appendfsync everysec
aof-load-truncated yes
maxmemory-policy noeviction
daemonize no
logfile ""
"""


class Valkey:
    """One server under one home."""

    def __init__(self, home: Path | str | Home) -> None:
        self.home = home if isinstance(home, Home) else Home.open(home)
        self._process: ServerProcess | None = None

    @property
    def log(self) -> Path:
        return self.home.log / "valkey.log"

    @property
    def socket(self) -> Path:
        return self.home.sockets() / "valkey.sock"

    @property
    def cache_url(self) -> str:
        return f"unix://:{self._password}@{self.socket}?db={CACHE_DATABASE}"

    @property
    def broker_url(self) -> str:
        return f"redis+socket://:{self._password}@{self.socket}?virtual_host={BROKER_DATABASE}"

    def prepare(self) -> None:
        """Write the configuration; the password stands there and in no command line."""
        data = self.home.path / "valkey"
        make_private(data)
        text = CONFIGURATION.format(socket=self.socket, password=self._password, data=_quoted(data))
        write_private(self._configuration, text)

    def command(self) -> list[str]:
        program = [valkey_server(), self._configuration]
        return leashed(program, lock=self.home.run / "valkey.lock", stale=(self.socket,))

    def start(self) -> Self:
        self.prepare()
        self._process = ServerProcess(self.command(), self.log)
        try:
            self.wait(has_ended=self._process.has_ended)
        except BaseException:
            self.stop()
            raise
        return self

    def wait(self, *, has_ended: Callable[[], bool] = lambda: False) -> None:
        """Return once it answers, its append-only file loaded."""
        deadline = time.monotonic() + START_PATIENCE_S
        with redis.Redis.from_url(self.cache_url) as client:
            while True:
                try:
                    client.ping()
                except redis.RedisError as error:
                    if has_ended() or time.monotonic() > deadline:
                        raise Refused(f"Valkey did not start:\n{last_lines(self.log)}") from error
                    time.sleep(0.05)
                else:
                    return

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop([(signal.SIGTERM, STOP_PATIENCE_S)])
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _configuration(self) -> Path:
        return self.home.run / "valkey.conf"

    @property
    def _password(self) -> str:
        return self.home.secrets()["valkey"]


def _quoted(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace('"', '\\"')
