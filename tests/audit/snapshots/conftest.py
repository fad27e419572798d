"""Snapshots are about what is committed, so their tests commit: a database of their own, and somebody at work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from foundation.actor import Actor
from foundation.context import acting


@pytest.fixture
def at_work(real_db: Any, engineer: Actor) -> Iterator[Actor]:
    """The engineer, with the rest of the test done in the engineer's name."""
    with acting(engineer):
        yield engineer


@pytest.fixture
def snap(at_work: Actor) -> Callable[..., Any]:
    """`snap()` takes a snapshot of orders; `snap(Customer, name="x")` of others."""
    from audit.snapshots.taking import take
    from shop.models import Order

    numbers = iter(range(1, 1000))

    def make(*entities: Any, name: str = "", **options: Any) -> Any:
        return take(name or f"s{next(numbers)}", entities=entities or (Order,), actor=at_work, **options)

    return make
