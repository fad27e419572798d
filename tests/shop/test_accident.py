"""The rehearsal of the accident: everything is refused, the ticket runs, every row comes back."""

from __future__ import annotations

from typing import Any

from tests.servers import manage


def test_the_small_rehearsal(real_db: Any, broker: str, valkey: Any) -> None:
    environment = real_db.env | {"BROKER_URL": broker, "REDIS_URL": valkey.cache_url}
    told = manage(environment, "accident", "--scale", "small")
    assert told.count("  refused  ") == 9
    assert told.count("  no rows  ") == 1
    for who in ("by privileges", "by row limit", "by gate", "by API", "by row level security"):
        assert who in told
    assert "ticket T-1" in told
    assert "The requester votes: refused." in told
    assert "every row is back, bit by bit" in told
    before, after = (
        line.split("checksum ")[1][:32] for line in told.splitlines() if "checksum " in line and "tags" in line
    )
    assert before == after
