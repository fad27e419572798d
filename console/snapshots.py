"""What API and pages share about snapshots: the state a text means, taking one, and having it measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from celery import current_app
from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerDown

from audit import registry
from audit.entity import SoftDeleted
from audit.models import Snapshot, SnapshotTable
from audit.names import place, split_table
from audit.snapshots import state, taking
from audit.snapshots.errors import NotInSnapshot
from audit.snapshots.state import NOW, State
from foundation.actor import Actor
from foundation.errors import Invalid, Unavailable

PRESENT = "now"
# Up to about so many rows are counted while the snapshot is taken; larger tables are measured by a worker.
MEASURED_AT_ONCE = 100_000


class BadState(Invalid):
    """“%(value)s” names no state. Give the number of a snapshot, a moment such as 2026-03-01T14:03:00Z, or “now”."""

    code = "bad_state"


class WorkersUnreachable(Unavailable):
    """The workers cannot be reached now, so nothing was measured. Try again in a minute."""

    code = "workers_unreachable"


@dataclass(frozen=True, slots=True)
class Meant:
    """A state, and the snapshot it comes from where it comes from one."""

    text: str
    state: State
    snapshot: Snapshot | None = None


def meant(text: str, *, field: str, model: type[SoftDeleted] | None = None) -> Meant:
    """The state a parameter means: a snapshot's number, a moment, or the present.

    Raises BadState, SnapshotNotFound, NotInSnapshot, BeforeRecording, NothingRecorded.
    """
    text = text.strip()
    if text == PRESENT:
        return Meant(text, NOW)
    if text.isascii() and text.isdigit() and len(text) < 19:
        snapshot = state.get(int(text))
        if model is not None:
            _require_held(snapshot, model)
        return Meant(text, state.of_snapshot(snapshot), snapshot)
    return Meant(text, state.at(_moment(text, field)))


def take(actor: Actor, *, name: str, entities: Sequence[str], note: str, kept_until: datetime | None) -> Snapshot:
    """Take a named snapshot; small tables are measured at once, large ones by a worker afterwards.

    Raises UnknownEntity and what `taking.take` raises.
    """
    chosen = [registry.entity(label) for label in entities]
    at_once = sum(_estimate(model) for model in chosen) <= MEASURED_AT_ONCE
    snapshot = taking.take(name, entities=chosen, actor=actor, note=note, kept_until=kept_until, measured=at_once)
    if not at_once:
        transaction.on_commit(lambda: _send(snapshot))
    return snapshot


def measure(snapshot: Snapshot) -> int:
    """Have the tables that are not measured yet measured by workers; return how many. Raises WorkersUnreachable."""
    missing = snapshot.tables.filter(measured_at__isnull=True).count()
    if missing and not _send(snapshot):
        raise WorkersUnreachable()
    return missing


def _send(snapshot: Snapshot) -> bool:
    for part_id in SnapshotTable.objects.filter(snapshot_id=snapshot.pk, measured_at=None).values_list("pk", flat=True):
        try:
            current_app.send_task("audit.measure", args=[part_id, snapshot.tenant_id])
        except (BrokerDown, OSError):
            return False
    return True


def _require_held(snapshot: Snapshot, model: type[SoftDeleted]) -> None:
    held = list(snapshot.tables.values_list("entity", flat=True))
    if model._meta.label_lower not in held:
        raise NotInSnapshot(
            field="entity", name=snapshot.name, entity=str(model.governance.label), held=", ".join(sorted(held))
        )


def _moment(text: str, field: str) -> datetime:
    try:
        moment: Any = models.DateTimeField().to_python(text)
    except (ValidationError, ValueError, OverflowError) as error:
        raise BadState(field=field, value=text[:40]) from error
    if moment is None:
        raise BadState(field=field, value=text[:40])
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment


def _estimate(model: type[SoftDeleted]) -> int:
    """About how many rows, from the catalog."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT greatest(reltuples, relpages)::bigint FROM pg_class WHERE oid = %s::regclass",
            [place(split_table(model._meta.db_table))],
        )
        return int(cursor.fetchone()[0])
