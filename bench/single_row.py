"""One row, one transaction, as a request does it: with capture and context, and without."""

from __future__ import annotations

import time
from typing import Any

from bench import tables
from bench.measuring import Figure, at_most
from bench.stage import Stage

ROWS = 20_000
UPDATES = 600


def single_row_overhead(stage: Stage, most: int) -> Figure:
    """Update by update in turn, so that the disk's mood meets both alike."""
    from django.db import transaction

    from bench.peers.models import Bare, Full
    from foundation.actor import Actor
    from foundation.context import acting

    rows = min(ROWS, most)
    with stage.owner() as owner:
        for table in ("peers_full", "peers_bare"):
            tables.load(owner, table, rows, baseline=table == "peers_full")
    actor = Actor(kind="user", name="Olivia Park", user_id=1, person_id=1, tenant_id=1)
    taken: dict[str, list[float]] = {"captured, with context": [], "plain": []}

    def update(model: Any, key: int) -> float:
        began = time.perf_counter()
        with transaction.atomic():
            model.objects.filter(tenant_id=1, id=key).update(note="changed")
        return time.perf_counter() - began

    for number in range(UPDATES + 50):
        key = 1 + (number * 7919) % rows
        with acting(actor, channel="page", trace_id="4bf92f3577b34da6a3ce929d0e0e4736", ip="10.0.0.7", reason="bench"):
            captured = update(Full, key)
        plain = update(Bare, key)
        if number >= 50:
            taken["captured, with context"].append(captured * 1000)
            taken["plain"].append(plain * 1000)
    sides = {name: tuple(values) for name, values in taken.items()}
    return at_most("single_row_overhead", 1.1, *sides, sides, "milliseconds, fsync on")
