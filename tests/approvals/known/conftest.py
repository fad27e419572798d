"""What the known classes are tried on: a ticket that one other person decides, one that two do, and doors to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from foundation.actor import Actor
from foundation.context import acting


@pytest.fixture
def ticket(operator: Actor) -> Any:
    """Twelve orders, asked for by the operator; one other person is needed."""
    return _asked(operator)


@pytest.fixture
def for_two(operator: Actor, in_force: Callable[..., None]) -> Any:
    """Twelve orders that two other persons are needed for."""
    from tests.approvals.known.tries import TWO

    in_force(TWO)
    return _asked(operator)


def _asked(operator: Actor) -> Any:
    # Models exist only after pytest has started the servers, which is after conftest files are read.
    from tests.journey import ask, keys_of
    from tests.personas import orders

    with acting(operator):
        made = ask(operator, "shop.order", keys_of(orders(12))).ticket
    assert made is not None
    return made


@pytest.fixture(params=["page", "api"])
def door(request: pytest.FixtureRequest) -> Any:
    """Each way people and programs vote from outside: `door(actor, ticket, …)` gives the answer's status."""
    from tests.approvals.known import tries

    return getattr(tries, request.param)
