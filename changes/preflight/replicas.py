"""How far the slowest replica lags behind."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from changes.preflight.base import BLOCK, PASS, Check, Finding, Subject
from changes.tables import table_of
from changes.throttling import replicas
from changes.throttling.reading import Watched


def ask(subject: Subject) -> Finding | None:
    reading = replicas.lag(Watched(tuple(table_of(entity).name for entity in subject.entities)))
    if reading is None:  # turned off, no replica, or not to be seen by this login
        return None
    facts = {"seconds": round(reading.value, 1), "limit": reading.limit}
    return Finding("replicas", BLOCK if reading.over else PASS, "replicas", facts)


CHECK = Check(
    name="replicas",
    label=_("Replicas"),
    ask=ask,
    way=_("Wait until the replicas have caught up."),
    passes=True,
)
