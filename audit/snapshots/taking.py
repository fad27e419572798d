"""Taking a snapshot: one row that names a state, and one per table with its columns as they are now.

No data is copied; the record already holds every version. Taking costs the same for ten rows and ten million.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import IntegrityError, connection
from django.utils import timezone

from audit.entity import SoftDeleted
from audit.snapshots import eras, measuring, state, ticks
from audit.snapshots.errors import BadKeptUntil, BadSnapshotName, NoEntities, SnapshotExists
from audit.snapshots.models import Snapshot, SnapshotTable
from audit.snapshots.recorded import column_types, fingerprint, recorded
from foundation.actor import Actor
from foundation.postgres.transactions import consistent

NAME_LIMIT = 120
NAME_TAKEN = "audit_snapshot_name"


def take(
    name: str,
    *,
    entities: Sequence[type[SoftDeleted]],
    actor: Actor,
    kind: str = Snapshot.Kind.NAMED,
    note: str = "",
    change_id: int | None = None,
    kept_until: datetime | None = None,
    hold: bool = False,
    measured: bool = False,
) -> Snapshot:
    """Mark the present state of some entities of the actor's tenant, all of them at the same instant.

    `measured` counts rows and computes checksums in the same transaction, which reads every row. Inside a
    transaction that is open already the measuring is left for later, and what that transaction has written itself
    is not in the snapshot.
    Raises BadSnapshotName, NoEntities, BadKeptUntil, SnapshotExists, BeforeRecording, OnStandby, EraBusy.
    """
    name = name.strip()
    _refuse_nonsense(name, entities, kept_until)
    _prepare(entities)
    try:
        with consistent() as is_one_state:
            snapshot = Snapshot.objects.create(
                tenant_id=actor.tenant, name=name, kind=kind, note=note, change_id=change_id, kept_until=kept_until,
                hold=hold, taken_by_id=actor.user_id, person_id=actor.person_id, taken_by_name=actor.name,
            )  # fmt: skip
            for model in entities:
                _add_table(snapshot, model, measured=measured and is_one_state)
            _note(snapshot, entities)
    except IntegrityError as error:
        if _constraint(error) == NAME_TAKEN:
            raise SnapshotExists(field="name", name=name) from error
        raise
    snapshot.refresh_from_db()
    return snapshot


def _prepare(entities: Sequence[type[SoftDeleted]]) -> None:
    """The era is open, a tick marks where “touched since” begins, and every table is recorded."""
    if connection.in_atomic_block:
        eras.open_era()
    else:
        ticks.tick()
    for model in entities:
        state.require_recorded(model, state.NOW, whole=False)


def keep(snapshot: Snapshot, *, kept_until: datetime | None, hold: bool) -> Snapshot:
    """Set until when a snapshot is kept (None: for good) and whether it is held beyond that. Raises BadKeptUntil."""
    if kept_until != snapshot.kept_until:
        _refuse_early(kept_until)
    Snapshot.objects.filter(pk=snapshot.pk).update(kept_until=kept_until, hold=hold)
    snapshot.refresh_from_db()
    return snapshot


def _refuse_nonsense(name: str, entities: Sequence[type[SoftDeleted]], kept_until: datetime | None) -> None:
    if not name or len(name) > NAME_LIMIT:
        raise BadSnapshotName(field="name", limit=NAME_LIMIT)
    if not entities or len(set(entities)) != len(entities):
        raise NoEntities(field="entities")
    _refuse_early(kept_until)


def _refuse_early(kept_until: datetime | None) -> None:
    if kept_until is not None and kept_until < timezone.now() + timedelta(days=1):
        raise BadKeptUntil(field="kept_until")


def _add_table(snapshot: Snapshot, model: type[SoftDeleted], *, measured: bool) -> None:
    table = recorded(model)
    types = dict(column_types(table.table))
    columns = [(column.table, types[column.table]) for column in table.columns]
    part = SnapshotTable.objects.create(
        tenant_id=snapshot.tenant_id,
        snapshot=snapshot,
        entity=model._meta.label_lower,
        columns=columns,
        schema_fingerprint=fingerprint(columns),
    )
    if measured:
        measuring.store(part, measuring.of_table(table, tenant_id=snapshot.tenant_id))


def _note(snapshot: Snapshot, entities: Sequence[type[SoftDeleted]]) -> None:
    """An act in the record: who took it."""
    labels = [model._meta.label_lower for model in entities]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT custody.append_event('snapshot.taken', %s, 'audit_snapshot', 0, jsonb_build_object("
            "'snapshot', %s::bigint, 'name', %s::text, 'kind', %s::text, 'tables', %s::text[]))",
            [labels[0] if len(labels) == 1 else "*", snapshot.pk, snapshot.name, str(snapshot.kind), labels],
        )


def _constraint(error: IntegrityError) -> str:
    diagnosis = getattr(error.__cause__, "diag", None)
    return str(getattr(diagnosis, "constraint_name", "") or "")
