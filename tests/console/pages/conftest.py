"""A browser without a browser: Django's test client, logged in as a persona."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from foundation.actor import Actor
from tests.personas import user_of


@pytest.fixture(autouse=True)
def no_kept_looks() -> Iterator[None]:
    """The look at a draft is kept in the cache; ids come again in the next test's rolled-back database."""
    from django.core.cache import cache

    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def as_(request: pytest.FixtureRequest) -> Callable[[Actor], Client]:
    """`as_(operator).get("/admin/")`, in the database of `real_db` when the test asks for that one."""
    request.getfixturevalue("real_db" if "real_db" in request.fixturenames else "db")

    def login(actor: Actor) -> Client:
        client = Client()
        client.force_login(user_of(actor), backend="django.contrib.auth.backends.ModelBackend")
        return client

    return login
