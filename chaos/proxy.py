"""Between the workers and PostgreSQL: a relay that cuts a connection around its COMMIT, when it is told to.

It listens on a socket of its own and speaks to the server's; nothing passing through it is altered. `before`: the
server never hears of the COMMIT. `during`: it hears of it, and nobody waits for its answer. `after`: it has committed
and said so, and the worker never hears of that.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import Counter
from pathlib import Path

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
BEFORE, DURING, AFTER = WAYS = ("before", "during", "after")
BLOCK = 65536


class Proxy(threading.Thread):
    """Relays every connection to `place`; `find` gives the one of a backend."""

    def __init__(self, directory: Path, target: Path, *, port: int = 5432) -> None:
        super().__init__(name="proxy", daemon=True)
        self.directory, self.target = directory, target / f".s.PGSQL.{port}"
        directory.mkdir(mode=0o700, exist_ok=True)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(directory / f".s.PGSQL.{port}"))
        self._listening.listen(64)
        self._lock = threading.Lock()
        self._links: set[Link] = set()
        self.cuts: Counter[str] = Counter()

    def run(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(str(self.target))
            except OSError:  # the server is down: so is its relay
                client.close()
                server.close()
                continue
            link = Link(client, server, self)
            with self._lock:
                self._links.add(link)
            link.start()

    def find(self, backend: int) -> Link | None:
        """The open connection of a backend."""
        with self._lock:
            return next((link for link in self._links if link.backend == backend), None)

    def forget(self, link: Link) -> None:
        with self._lock:
            self._links.discard(link)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        with self._lock:
            links = list(self._links)
        for link in links:
            link.cut()


class Link:
    """One connection: two threads, one per direction. `armed` says how its next COMMIT is cut, `fell` that it was."""

    def __init__(self, client: socket.socket, server: socket.socket, proxy: Proxy) -> None:
        self.client, self.server, self.proxy = client, server, proxy
        self.backend: int | None = None
        self.armed: str | None = None
        self.fell = threading.Event()
        self._swallow = False

    def start(self) -> None:
        for pump in (self._to_server, self._to_client):
            threading.Thread(target=self._until_it_ends, args=(pump,), daemon=True).start()

    def cut(self) -> None:
        """Both ends see the connection end."""
        self.proxy.forget(self)
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _until_it_ends(self, pump: object) -> None:
        with contextlib.suppress(OSError):
            pump()  # type: ignore[operator]
        self.cut()

    def _to_server(self) -> None:
        while data := self.client.recv(BLOCK):
            way = self.armed if data.endswith(COMMIT) else None
            if way == BEFORE:
                self._fall(way)
                return
            if way == AFTER:
                self._swallow = True
            self.server.sendall(data)
            if way == DURING:
                self._fall(way)
                return

    def _to_client(self) -> None:
        hello = b""
        while data := self.server.recv(BLOCK):
            if self._swallow:
                self._fall(AFTER)
                return
            if self.backend is None:
                hello += data
                self.backend = backend_of(hello)
            self.client.sendall(data)

    def _fall(self, way: str) -> None:
        self.proxy.cuts[way] += 1
        self.cut()
        self.fell.set()


def backend_of(hello: bytes) -> int | None:
    """The process id in what a server says first: messages of one byte, a length that counts itself, a body."""
    at = 0
    while at + 5 <= len(hello):
        kind, length = hello[at : at + 1], struct.unpack_from("!I", hello, at + 1)[0]
        if kind == b"K" and at + 9 <= len(hello):
            return int(struct.unpack_from("!I", hello, at + 5)[0])
        at += 1 + length
    return None
