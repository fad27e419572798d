"""Which state is meant: a snapshot's, a tick's, or the present one. A value that SQL can be made from.

A state is a `pg_snapshot` and the era it was taken in; times only lead people to it. `floor` is an event up to
which nothing can be new to the state, so that “what was touched since” reads a range of the record.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from audit.entity import SoftDeleted
from audit.names import split_table
from audit.snapshots.errors import BaselineOpen, BeforeRecording, NothingRecorded, SnapshotNotFound
from audit.snapshots.models import Era, Snapshot, Tick

SHAPE = re.compile(r"\d+:\d+:(\d+(,\d+)*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One exact state. `snapshot` is None for the present, which needs no question about visibility.

    first_event, end_event   the event ids of the era the snapshot was taken in: [first, end), end None while it lasts
    at                       when it was, for people
    """

    snapshot: str | None = None
    era: int = 0
    floor: int = 0
    first_event: int = 0
    end_event: int | None = None
    at: datetime | None = None

    def __post_init__(self) -> None:
        # The text becomes part of statements.
        if self.snapshot is not None and SHAPE.fullmatch(self.snapshot) is None:
            raise ValueError("not a pg_snapshot")

    @property
    def is_present(self) -> bool:
        return self.snapshot is None

    @property
    def known(self) -> int:
        """Every event up to this one is in the state, or was undone."""
        return max(self.floor, self.first_event - 1)

    def order(self) -> tuple[int, int, int, int, int]:
        """Sorts states by time without asking a clock. Of equal bounds the one with fewer open transactions is later."""
        if self.snapshot is None:
            return (1, 0, 0, 0, 0)
        low, high, open_ids = self.snapshot.split(":")
        return (0, self.era, int(high), int(low), -len(open_ids.split(",")) if open_ids else 0)


NOW = State()


def of_snapshot(snapshot: Snapshot) -> State:
    """The state a snapshot marks."""
    return _state(snapshot.pg_snapshot, snapshot.era, snapshot.event_floor, snapshot.taken_at)


def of_tick(tick: Tick) -> State:
    """The state a tick marks."""
    return _state(tick.snapshot, tick.era, event_floor(tick.era, tick.snapshot), tick.at)


def at(moment: datetime) -> State:
    """The state of the last tick at or before a moment; its `at` says which moment it really is.

    Raises BeforeRecording, NothingRecorded.
    """
    tick = Tick.objects.filter(at__lte=moment).order_by("-at", "-id").first()
    if tick is None:
        first = Tick.objects.order_by("at", "id").first()
        if first is None:
            raise NothingRecorded(field="at")
        raise BeforeRecording(field="at", moment=moment.isoformat(), began=first.at.isoformat())
    return of_tick(tick)


def get(snapshot_id: int) -> Snapshot:
    """A snapshot of the current tenant. Raises SnapshotNotFound."""
    found = Snapshot.objects.filter(pk=snapshot_id).first()
    if found is None:
        raise SnapshotNotFound(snapshot_id=snapshot_id)
    return found


def event_floor(era: int, snapshot: str) -> int:
    """An event up to which nothing is new to the snapshot; 0 when no tick tells."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT custody.event_floor(%s, %s::pg_snapshot)", [era, snapshot])
        return int(cursor.fetchone()[0])


def require_recorded(model: type[SoftDeleted], state: State, *, whole: bool) -> None:
    """Refuse a state from before an adopted table was recorded, and (`whole`) one whose rows are not all known yet.

    Rows that have no baseline yet are as they were when recording began, so comparing needs no whole baseline.
    Raises BeforeRecording, BaselineOpen.
    """
    if model._meta.managed:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT recorded_from, baseline_done_at FROM custody.adopted_table WHERE schema_name = %s AND table_name = %s",
            split_table(model._meta.db_table),
        )
        since, done = cursor.fetchone() or (None, None)
    name = str(model.governance.label)
    if since is None or (state.at is not None and state.at < since):
        moment = state.at.isoformat() if state.at else "-"
        raise BeforeRecording(field="at", moment=moment, began=since.isoformat() if since else "-")
    if whole and done is None:
        raise BaselineOpen(entity=name, app=model._meta.app_label)


def _state(snapshot: Any, era: int, floor: int, moment: datetime) -> State:
    later = list(Era.objects.filter(number__gte=era).order_by("number")[:2])
    return State(
        snapshot=str(snapshot),
        era=era,
        floor=floor,
        first_event=later[0].first_event_id,
        end_event=later[1].first_event_id if len(later) > 1 else None,
        at=moment,
    )
