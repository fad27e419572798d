"""A webhook is sent to the address that was judged, signed, without following anybody anywhere, within its limits."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from approvals.notices import delivering, webhooks
from approvals.notices.failures import Failed
from approvals.notices.kinds import Kind
from approvals.notices.models import Delivery
from approvals.notices.telling import tell
from foundation.actor import Actor
from foundation.context import acting
from tests.listeners import Listener

pytestmark = pytest.mark.django_db
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "notifications.md"


def told() -> Delivery:
    """A delivery to the webhook, taken."""
    with acting(Actor.service("teller", tenant_id=1)):
        with transaction.atomic():
            tell(Kind.RULE_CHANGED, facts={"rule": 7})
        taken = delivering.claim(1)
    assert taken is not None
    return taken


def attempt(delivery: Delivery) -> bool:
    with acting(Actor.service("notifier", tenant_id=1)):
        return delivering.attempt(delivery)


def state_of(delivery: Delivery) -> tuple[str, str]:
    with acting(Actor.service("looker", tenant_id=1)):
        found = Delivery.objects.get(pk=delivery.pk)
    return found.state, found.error


def documented() -> Any:
    """The receiver of the documentation, as it stands there."""
    code = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(), re.S)
    assert code is not None
    assert len([line for line in code[1].splitlines() if line.startswith("    ")]) <= 10
    space: dict[str, Any] = {}
    exec(code[1], space)
    return space["accept"]


class TestSigning:
    def test_the_documented_receiver_takes_it(self, webhook: Any, listener: Listener) -> None:
        delivery = told()
        assert attempt(delivery)
        (heard,) = listener.heard
        accept = documented()
        body = accept(webhook[1], heard.headers, heard.body)
        assert body == json.loads(heard.body)
        assert body["id"] == str(delivery.uuid) == heard.headers["Custody-Id"]
        assert (body["kind"], body["tenant"], body["facts"]) == ("rule_changed", 1, {"rule": 7})

    def test_it_refuses_what_is_forged_altered_late_or_sent_twice(
        self, webhook: Any, listener: Listener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        attempt(told())
        (heard,) = listener.heard
        secret, accept = webhook[1], documented()
        forged = heard.headers | {"Custody-Signature": "v1=" + "0" * 64}
        later = heard.headers | {"Custody-Timestamp": str(int(heard.headers["Custody-Timestamp"]) + 1)}
        for tried in ((secret, forged, heard.body), (secret, later, heard.body), ("other", heard.headers, heard.body)):
            with pytest.raises(ValueError):
                accept(*tried)
        with pytest.raises(ValueError):
            accept(secret, heard.headers, heard.body.replace(b"rule_changed", b"break_glass_"))
        accept(secret, heard.headers, heard.body)
        now = time.time()
        for seconds in (1, 600):
            monkeypatch.setattr(time, "time", lambda seconds=seconds: now + seconds)
            with pytest.raises(ValueError):
                accept(secret, heard.headers, heard.body)
        with pytest.raises(ValueError):
            documented()(secret, heard.headers, heard.body)  # ten minutes later, by one that has seen nothing yet

    def test_the_body_is_the_same_each_time_and_only_the_time_is_new(
        self, webhook: Any, listener: Listener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        delivery = told()
        listener.answers = [500]
        assert not attempt(delivery)
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 100)
        assert attempt(delivery)
        first, second = listener.heard
        assert first.body == second.body
        assert first.headers["Custody-Signature"] != second.headers["Custody-Signature"]


class TestWhereItGoes:
    def test_a_name_that_answers_something_else_a_moment_later_leads_nowhere(
        self, listener: Listener, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first answer is judged and used; whoever asks a second time is sent to our own machine."""
        settings.CUSTODY_WEBHOOK_ALLOWED_NETWORKS = []
        answers = ["192.0.2.7", "127.0.0.1"]
        monkeypatch.setattr("approvals.notices.addresses.is_allowed", lambda address: str(address) == "192.0.2.7")
        dialled: list[str] = []
        real = socket.create_connection

        def dial(place: Any, *args: Any, **more: Any) -> Any:
            dialled.append(place[0])
            return real((resolve(place[0]), place[1]), *args, **more)

        def resolve(host: str) -> str:
            if host == "rebinding.example":
                return answers.pop(0)
            if host == "192.0.2.7":
                raise OSError("nobody is there")
            return host

        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, port, **k: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (resolve(host), port))],
        )
        monkeypatch.setattr(socket, "create_connection", dial)
        with pytest.raises(Failed, match="no_answer"):
            webhooks.post(f"http://rebinding.example:{listener.port}/hook", b"{}", {})
        assert dialled == ["192.0.2.7"]
        assert answers == ["127.0.0.1"]
        assert listener.heard == []

    def test_a_name_that_turns_inwards_after_it_was_saved_is_refused_for_good(
        self, webhook: Any, listener: Listener, settings: Any
    ) -> None:
        delivery = told()
        settings.CUSTODY_WEBHOOK_ALLOWED_NETWORKS = []
        assert not attempt(delivery)
        assert state_of(delivery) == ("dead", "address_refused")
        assert listener.heard == []

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed(self, webhook: Any, listener: Listener, status: int) -> None:
        listener.answers, listener.location = [status], f"http://127.0.0.1:{listener.port}/inside"
        delivery = told()
        assert not attempt(delivery)
        assert state_of(delivery) == ("dead", "redirect")
        assert [one.path for one in listener.heard] == ["/hook"]

    def test_the_host_is_named_as_it_was_written(self, webhook: Any, listener: Listener) -> None:
        attempt(told())
        assert listener.heard[0].headers["Host"] == f"127.0.0.1:{listener.port}"

    def test_a_proxy_of_the_environment_is_not_asked(
        self, webhook: Any, listener: Listener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert attempt(told())

    def test_https_is_verified(self, listener: Listener) -> None:
        with pytest.raises(Failed, match="certificate"):
            webhooks.post(f"https://127.0.0.1:{listener.port}/", b"{}", {})


class TestLimits:
    def test_a_receiver_that_drips_is_cut_when_its_time_is_over(
        self, loopback: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(webhooks, "SECONDS", 0.5)
        stop = threading.Event()
        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=_drip, args=(server, stop), daemon=True).start()
            began = time.monotonic()
            with pytest.raises(Failed, match="timeout"):
                webhooks.post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {})
            stop.set()
        assert time.monotonic() - began < 5

    def test_of_a_long_answer_little_is_read(self, loopback: None) -> None:
        sent: list[int] = []
        with socket.create_server(("127.0.0.1", 0)) as server:
            flood = threading.Thread(target=_flood, args=(server, sent), daemon=True)
            flood.start()
            assert webhooks.post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {}) == 200
            flood.join(10)
        assert sum(sent) < 64 * 1024 * 1024


def _drip(server: socket.socket, stop: threading.Event) -> None:
    client, _ = server.accept()
    with client:
        client.recv(65536)
        client.sendall(b"HTTP/1.1 200 OK\r\n")
        number = 0
        while not stop.wait(0.1):
            number += 1
            try:
                client.sendall(f"X-{number}: y\r\n".encode())
            except OSError:
                return


def _flood(server: socket.socket, sent: list[int]) -> None:
    client, _ = server.accept()
    with client:
        client.recv(65536)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            while sum(sent) < 1_000_000_000:
                sent.append(client.send(b"x" * 1_000_000))
        except OSError:
            return
