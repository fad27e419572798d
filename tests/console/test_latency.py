"""Web processes tell workers how long the API takes, through the cache; nothing depends on it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache

from changes.throttling.reading import Watched
from console import latency

NOTHING = Watched(())


@pytest.fixture(autouse=True)
def empty() -> None:
    cache.clear()


@pytest.mark.parametrize(("milliseconds", "bucket"), [(0.4, 0), (1, 1), (3.9, 2), (1000, 10), (10**9, 15)])
def test_a_bucket_holds_what_took_less_than_its_power(milliseconds: float, bucket: int) -> None:
    assert latency.bucket_of(milliseconds) == bucket


def test_the_slowest_twentieth_decides(settings: Any) -> None:
    settings.CUSTODY_THROTTLE_API = 1000
    for _ in range(90):
        latency.note(10)
    assert latency.p95() == 16
    for _ in range(10):
        latency.note(1500)
    found = latency.signal(NOTHING)
    assert found is not None
    assert (found.value, found.over) == (2048, True)


def test_few_requests_say_nothing() -> None:
    latency.note(9000)
    assert latency.p95() is None


def test_it_can_be_turned_off(settings: Any) -> None:
    settings.CUSTODY_THROTTLE_API = 0
    for _ in range(30):
        latency.note(9000)
    assert latency.signal(NOTHING) is None


def test_a_cache_that_does_not_answer_costs_no_request(settings: Any) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    latency.note(5)
    assert latency.p95() is None


@pytest.mark.django_db
def test_the_api_is_counted_and_pages_are_not(client: Any) -> None:
    for _ in range(latency.LEAST_REQUESTS):
        client.get("/api/v1/me/")
        client.get("/admin/login/")
    assert latency.p95() is not None
    assert sum(cache.get_many([latency._key(_now(), n) for n in range(16)]).values()) <= latency.LEAST_REQUESTS


def _now() -> int:
    import time

    return int(time.time()) // latency.SLOT_S
