"""Fixtures of the approval tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from foundation.actor import Actor
from foundation.context import acting


@pytest.fixture
def at_work(operator: Actor) -> Iterator[Actor]:
    """The operator, with the rest of the test done in the operator's name."""
    with acting(operator):
        yield operator


@pytest.fixture
def chunks_of_two(settings: Any) -> None:
    """Small enough that every run has several chunks."""
    settings.CUSTODY_CHUNK_ROWS = 2
