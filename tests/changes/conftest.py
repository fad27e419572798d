"""Fixtures of the engine's tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections

from foundation.actor import Actor
from foundation.context import acting
from tests.applications import installed
from tests.changes.crashing_worker import DyingWorkers


@pytest.fixture
def at_work(operator: Actor) -> Iterator[Actor]:
    """The operator, with the rest of the test done in the operator's name."""
    with acting(operator):
        yield operator


@pytest.fixture
def chunks_of_two(settings: Any) -> None:
    """Small enough that every run has several chunks."""
    settings.CUSTODY_CHUNK_ROWS = 2


@pytest.fixture
def workers(real_db: Any) -> Iterator[DyingWorkers]:
    """Workers with chunks of two rows, which die at a statement: `workers.crash(change.pk, 12, "after")`."""
    program = DyingWorkers(real_db.env)
    yield program
    program.close()


@pytest.fixture
def odd(real_db: Any, operator: Actor) -> Iterator[Any]:
    """The models of tests.testapp, their tables made by the owner; the operator at work."""
    from tests.changes.odd_keys import with_tables

    with installed("tests.testapp"), acting(operator):
        yield with_tables(real_db)
    connections.close_all()
