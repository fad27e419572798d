"""A client of the API per persona, logged in by token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from foundation.actor import Actor
from tests.personas import user_of


@pytest.fixture
def client_of(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """An API client that sends the persona's token, in the database of `real_db` when the test asks for that one."""
    request.getfixturevalue("real_db" if "real_db" in request.fixturenames else "db")
    # Settings exist only after pytest has started the servers, which is after conftest files are read.
    from rest_framework.authtoken.models import Token
    from rest_framework.test import APIClient

    def make(actor: Actor, **headers: str) -> Any:
        token, _ = Token.objects.get_or_create(user=user_of(actor))
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Token {token.key}", **headers)
        return client

    return make
