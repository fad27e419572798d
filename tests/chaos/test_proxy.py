"""The relay between worker and server: what a client and a server know after each of the three cuts."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from chaos.proxy import AFTER, BEFORE, DURING, Proxy, backend_of
from tests.servers import Servers

HELLO = b"R" + struct.pack("!II", 8, 0) + b"S" + struct.pack("!I", 8) + b"a\0b\0"


@pytest.fixture
def relay(servers: Servers, tmp_path: Path) -> Iterator[tuple[Proxy, str]]:
    info = psycopg.conninfo.conninfo_to_dict(servers.admin_url)
    if not str(info.get("host", "")).startswith("/"):
        pytest.skip("the server of these tests has no unix socket")
    proxy = Proxy(tmp_path / "relay", Path(str(info["host"])), port=int(info.get("port", 5432)))
    proxy.start()
    yield proxy, psycopg.conninfo.make_conninfo(servers.admin_url, host=str(proxy.directory))
    proxy.close()


@pytest.fixture
def numbers(servers: Servers) -> Iterator[psycopg.Connection]:
    with psycopg.connect(servers.admin_url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS relayed; CREATE TABLE relayed (n int)")
        yield connection
        connection.execute("DROP TABLE relayed")


def held(connection: psycopg.Connection) -> list[int]:
    return [n for (n,) in connection.execute("SELECT n FROM relayed ORDER BY n").fetchall()]


def test_a_transaction_passes_unaltered(relay: tuple[Proxy, str], numbers: psycopg.Connection) -> None:
    proxy, address = relay
    with psycopg.connect(address) as through:
        through.execute("INSERT INTO relayed SELECT generate_series(1, 3)")
    assert held(numbers) == [1, 2, 3]
    assert not proxy.cuts


@pytest.mark.parametrize(("way", "stays"), [(BEFORE, False), (DURING, True), (AFTER, True)])
def test_a_cut_leaves_the_client_in_doubt(
    relay: tuple[Proxy, str], numbers: psycopg.Connection, way: str, stays: bool
) -> None:
    """The client hears the same each time; only the server knows whether it committed."""
    proxy, address = relay
    with psycopg.connect(address) as through:
        through.execute("INSERT INTO relayed VALUES (7)")
        backend = through.info.backend_pid
        link = proxy.find(backend)
        assert link is not None
        link.armed = way
        with pytest.raises(psycopg.OperationalError):
            through.commit()
        assert link.fell.wait(10)
    ended = threading.Event()
    while numbers.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [backend]).fetchone():
        ended.wait(0.01)
    assert held(numbers) == ([7] if stays else [])
    assert proxy.cuts == {way: 1}
    assert proxy.find(backend) is None


def test_the_backend_is_read_from_the_servers_first_words() -> None:
    key = b"K" + struct.pack("!III", 12, 4711, 99)
    assert backend_of(HELLO + key) == 4711
    assert backend_of(HELLO + key[:7]) is None
    assert backend_of(HELLO) is None
