"""Nonsense in the environment stops the start with one sentence, before anything is started."""

from __future__ import annotations

import os

import pytest

from console.embedded.configuration import require_configuration
from console.embedded.errors import Refused

GOOD = {
    "CUSTODY_SECRET_KEY": "x" * 50,
    "DATABASE_URL": "postgresql://custody_app@127.0.0.1:1/custody",
    "BROKER_URL": "redis://127.0.0.1:1/0",
    "REDIS_URL": "redis://127.0.0.1:1/1",
}


def configured(**changed: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CUSTODY_", "DATABASE_"))}
    require_configuration(kept | GOOD | changed)


def test_a_sensible_environment_passes() -> None:
    configured()
    configured(BROKER_URL="amqp://guest:guest@127.0.0.1:1//", REDIS_URL="")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CUSTODY_SECRET_KEY", "short"),
        ("CUSTODY_ENV", "foo"),
        ("CUSTODY_CHUNK_ROWS", "-5"),
        ("CUSTODY_LANES", "x"),
        ("CUSTODY_DEBUG", "yes"),
        ("BROKER_URL", "foo://bar"),
        ("REDIS_URL", "http://127.0.0.1"),
        ("DATABASE_URL", "mysql://x"),
    ],
)
def test_nonsense_is_named_in_one_sentence(name: str, value: str) -> None:
    with pytest.raises(Refused, match=name) as refused:
        configured(**{name: value})
    assert len(str(refused.value).splitlines()) == 1
    assert "Traceback" not in str(refused.value)
