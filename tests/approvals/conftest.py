"""Fixtures of the approval tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from foundation.actor import Actor
from foundation.context import acting

INSERT = (
    "INSERT INTO approvals_ruleversion (tenant_id, number, rules, amendment_id, author_person_id, author_name) "
    "SELECT 1, coalesce(max(number), 0) + 1, %s::jsonb, 0, %s, 'Nadia Petrova' FROM approvals_ruleversion"
)


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
def environment(owner: psycopg.Connection, settings: Any) -> Iterator[Callable[[str], None]]:
    """`environment("production")`: another environment, as the database knows it after a migrate. Taken back at the end."""
    from approvals.rules import house
    from audit import manifest

    before = settings.CUSTODY_ENV

    def enter(name: str) -> None:
        settings.CUSTODY_ENV = name
        with owner.transaction(), owner.cursor() as cursor:
            manifest._store_limits(cursor)
            house.store(cursor)

    yield enter
    enter(before)


@pytest.fixture
def in_force(owner: psycopg.Connection) -> Iterator[Callable[..., None]]:
    """`in_force({rule}, …, author=person)`: these rules hold in tenant 1 from now on."""
    from approvals.rules import versions

    owner.execute("SET custody.all_tenants = 'on'")

    def put(*rules: dict[str, Any], author: int = 0) -> None:
        found = [rule.as_json() for rule in versions.read(list(rules))]
        owner.execute(INSERT, [json.dumps(found), author])

    yield put
    owner.execute("DELETE FROM approvals_ruleversion")
