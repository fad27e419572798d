"""What makes a run wait for others: signals, one small file each, one line here.

A layer above adds its own by import path, in the setting `CUSTODY_THROTTLES`. A limit of 0 turns a signal off.
"""

from __future__ import annotations

import time

from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

from audit import registry
from changes.models import Change
from changes.tables import table_of
from changes.throttling import locks, maintenance, replicas, wal
from changes.throttling.reading import Reading, Signal, Watched

SIGNALS: tuple[Signal, ...] = (replicas.lag, locks.waits, maintenance.running, wal.rate)
# A sample serves every chunk of a process for this long, so that small chunks do not pay for it.
SAMPLE_S = 1.0
_samples: dict[tuple[str, int], tuple[float, list[Reading]]] = {}


def pressing(change: Change) -> list[Reading]:
    """The signals beyond their limits, worst first; at most a second old."""
    key = (str(connection.settings_dict["NAME"]), change.pk)
    taken = _samples.get(key)
    if taken is None or time.monotonic() - taken[0] > SAMPLE_S:
        if len(_samples) > 100:
            _samples.clear()
        taken = _samples[key] = (time.monotonic(), look(change))
    return taken[1]


def look(change: Change) -> list[Reading]:
    """Read every signal now; those beyond their limits, worst first."""
    watched = Watched(tuple(sorted({table_of(registry.entity(part.entity)).name for part in change.parts.all()})))
    signals = [*SIGNALS, *(import_string(path) for path in settings.CUSTODY_THROTTLES)]
    readings = [reading for signal in signals if (reading := signal(watched)) is not None and reading.over]
    return sorted(readings, key=lambda reading: reading.excess, reverse=True)
