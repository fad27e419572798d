"""Real servers on this machine that hear what is sent out: HTTP for webhooks and chat, SMTP for e-mail."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Heard:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Listener:
    """What came in, and what is answered: `answers` in turn, then 204."""

    port: int = 0
    heard: list[Heard] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    location: str = ""
    hold: threading.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


@contextmanager
def http_listener() -> Iterator[Listener]:
    """An HTTP server on a free port of the loopback interface."""
    listener = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            listener.heard.append(Heard(self.path, dict(self.headers), body))
            if listener.hold is not None:
                listener.hold.wait(20)
            self.send_response(listener.answers.pop(0) if listener.answers else 204)
            if listener.location:
                self.send_header("Location", listener.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    listener.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield listener
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def smtp_listener(*, refuse: str = "") -> Iterator[tuple[int, list[EmailMessage]]]:
    """An SMTP server; yields its port and the e-mails it took. `refuse`: the answer to every recipient."""
    from aiosmtpd.controller import Controller

    taken: list[Any] = []

    class Handler:
        async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
            if refuse:
                return refuse
            envelope.rcpt_tos.append(address)
            return "250 OK"

        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            mail = message_from_bytes(envelope.content, policy=policy.default)
            mail["X-Taken-For"] = ",".join(envelope.rcpt_tos)
            taken.append(mail)
            return "250 taken"

    from tests.databases import free_port

    controller = Controller(Handler(), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield controller.port, taken
    finally:
        controller.stop()
