"""The embedded Valkey keeps queued messages and asks for its password."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import redis
from celery import Celery
from redis.backoff import NoBackoff
from redis.retry import Retry

from console.embedded.valkey import Valkey

ONCE = Retry(NoBackoff(), 0)

pytestmark = pytest.mark.embedded


def test_a_queued_message_survives_a_kill(place: Path) -> None:
    with Valkey(place / "home") as server:
        Celery(broker=server.broker_url, set_as_current=False).send_task("anything")
        server_process = psutil.Process(server._process.pid)  # type: ignore[union-attr]
        server_process.kill()
        server_process.wait()
        server.start()
        with redis.Redis.from_url(server.cache_url.replace("db=1", "db=0")) as client:
            assert client.llen("celery") == 1


def test_a_login_needs_its_password(place: Path) -> None:
    with Valkey(place / "home") as server, redis.Redis(unix_socket_path=str(server.socket), retry=ONCE) as client:
        with pytest.raises(redis.AuthenticationError):
            client.ping()
        assert server.socket.stat().st_mode & 0o077 == 0
