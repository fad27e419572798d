"""Fixtures of the tests of notices: a listener, and a tenant whose receiver it is."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from foundation.actor import Actor
from foundation.context import acting
from tests.listeners import Listener, http_listener


@pytest.fixture
def loopback(settings: Any) -> None:
    """The tests' own servers may be reached."""
    settings.CUSTODY_WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]


@pytest.fixture
def listener(loopback: None) -> Iterator[Listener]:
    with http_listener() as made:
        yield made


@pytest.fixture
def webhook(listener: Listener, administrator: Actor) -> tuple[Any, str]:
    """A receiver of everything, and its secret."""
    from approvals.notices import receivers

    with acting(administrator):
        return receivers.add(
            receivers.Wish(channel="webhook", name="Ledger", address=listener.url), actor=administrator
        )
