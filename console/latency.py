"""How long the API takes, told by the web processes to the workers through the cache: a run waits when it is slow.

Counters per slot of time and power of two of milliseconds, so that processes only ever add. Without a shared cache
(`REDIS_URL`) workers see nothing, and nothing waits for it.
"""

from __future__ import annotations

import logging
import time
from collections import Counter

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError

from changes.throttling.reading import Reading, Watched

log = logging.getLogger(__name__)
SLOT_S, SLOTS, KEPT_S = 10, 3, 60
BUCKETS = 16  # up to 32 seconds
LEAST_REQUESTS = 20


def bucket_of(milliseconds: float) -> int:
    """The number of the counter: it holds what took less than 2 ** number milliseconds."""
    return min(int(milliseconds).bit_length(), BUCKETS - 1)


def note(milliseconds: float) -> None:
    """Count one request. A cache that does not answer loses the count, never the request."""
    key = _key(int(time.time()) // SLOT_S, bucket_of(milliseconds))
    try:
        cache.add(key, 0, KEPT_S)
        cache.incr(key)
    except (RedisError, OSError, ValueError) as error:
        log.debug("latency not counted: %s", error)


def p95() -> float | None:
    """The upper bound in milliseconds below which 95 of 100 requests of the last half minute stayed, None for too few."""
    now = int(time.time()) // SLOT_S
    keys = {_key(now - back, bucket): bucket for back in range(SLOTS) for bucket in range(BUCKETS)}
    try:
        found = cache.get_many(list(keys))
    except (RedisError, OSError) as error:
        log.debug("latency not known: %s", error)
        return None
    counts: Counter[int] = Counter()
    for key, amount in found.items():
        counts[keys[key]] += amount
    total = counts.total()
    if total < LEAST_REQUESTS:
        return None
    slowest = 0
    for bucket in sorted(counts, reverse=True):
        slowest += counts[bucket]
        if slowest * 20 > total:
            return float(2**bucket)
    return None


def signal(watched: Watched) -> Reading | None:
    """For `CUSTODY_THROTTLES`."""
    limit = settings.CUSTODY_THROTTLE_API
    value = p95() if limit else None
    return None if value is None else Reading("api_p95", value, limit)


def _key(slot: int, bucket: int) -> str:
    return f"custody:latency:{slot}:{bucket}"
