"""What an undo or a rollback would do, before anybody asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Min, QuerySet, Sum

from audit import registry
from audit.models import Event
from changes.errors import EventNotFound
from changes.event_freezing import AROUND, LIMIT
from changes.models import Change, SkippedRow
from changes.operations import REGISTRY, rollback
from changes.plan import Plan
from changes.planning import freeze_rows
from changes.states import Operation, State
from changes.submission import undoable
from foundation.actor import Actor
from foundation.postgres.transactions import consistent


@dataclass(frozen=True, slots=True)
class PreviewPart:
    """One table and one kind of write: rows that would be written, and rows that would be left alone."""

    entity: str
    effect: str
    rows: int
    conflicts: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows of a table one class of conflict keeps back."""

    entity: str
    reason: str
    rows: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """A row that an undo would leave alone."""

    entity: str
    key: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoPreview:
    """An undo, counted for real.

    tallies          every conflict, by table and class
    sample           the first rows of each class by name
    scope            (entity, columns): what the undo can be narrowed to; no columns where whole rows came or went
    lost             (entity, column): no longer there, cannot come back
    approvals_least  other persons that must agree however few the rows are
    """

    rows: int
    parts: tuple[PreviewPart, ...]
    conflicts: int
    tallies: tuple[Tally, ...] = ()
    sample: tuple[Conflict, ...] = ()
    scope: tuple[tuple[str, tuple[str, ...]], ...] = ()
    lost: tuple[tuple[str, str], ...] = ()
    approvals_least: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """What events did to one table: so many statements of one kind, so many rows."""

    entity: str
    operation: str
    events: int
    rows: int


class _TakeBack(Exception):
    """Ends the preview's transaction without a commit."""


def preview_undo(
    change_id: int, *, actor: Actor, options: Mapping[str, Any] | None = None, size: int = 20
) -> UndoPreview:
    """Plan the undo for real and roll it back; `size` rows of each class of conflict are named.

    Raises WrongState, NothingToUndo, ChangeNotFound, ConflictsFound, an Invalid option.
    """
    return _preview(actor, change_id, None, options, size)


def preview_undo_of_events(entity: str, *, actor: Actor, options: Mapping[str, Any], size: int = 20) -> UndoPreview:
    """The same for events that no change made: `options` names them as its source. Raises EventNotFound."""
    return _preview(actor, None, entity, options, size)


def preview_rollback(
    snapshot_id: int, *, actor: Actor, options: Mapping[str, Any] | None = None, size: int = 20
) -> UndoPreview:
    """The same for tables that go back to a snapshot. No rows: nothing differs.

    Raises SnapshotNotFound, NotInSnapshot, BeforeRecording, BaselineOpen, ConflictsFound, an Invalid option.
    """
    entity, asked = rollback.of_snapshot(snapshot_id, options or {})
    return _preview(actor, None, entity, asked, size, Operation.ROLLBACK)


def _preview(
    actor: Actor,
    change_id: int | None,
    entity: str | None,
    options: Mapping[str, Any] | None,
    size: int,
    operation: Operation = Operation.UNDO,
) -> UndoPreview:
    found: list[UndoPreview] = []
    try:
        with consistent():
            original = None if change_id is None else undoable(change_id)
            label = original.entity if original is not None else str(entity)
            change = Change.objects.create(
                tenant_id=actor.tenant,
                operation=operation,
                entity=label,
                state=State.DRAFT,
                requester_name=actor.name,
                undo_of=original,
                options=REGISTRY[operation].read_options(registry.entity(label), options or {}),
            )
            found.append(_counted(change, freeze_rows(change, None, frozenset()), size))
            raise _TakeBack
    except _TakeBack:
        return found[0]


def _counted(change: Change, plan: Plan, size: int) -> UndoPreview:
    labels = {part.number: part.entity._meta.label_lower for part in plan.parts}
    tallies = _tallies(change, labels)
    return UndoPreview(
        rows=plan.rows_total,
        parts=tuple(PreviewPart(labels[p.number], str(p.effect), p.rows, p.conflicts) for p in plan.parts),
        conflicts=sum(part.conflicts for part in plan.parts),
        tallies=tallies,
        sample=tuple(
            c for reason in dict.fromkeys(t.reason for t in tallies) for c in _first(change, labels, reason, size)
        ),
        scope=plan.scope,
        lost=plan.lost,
        approvals_least=plan.approvals_least,
    )


def _tallies(change: Change, labels: dict[int, str]) -> tuple[Tally, ...]:
    counted: dict[tuple[str, str], int] = {}
    rows = SkippedRow.objects.filter(change_id=change.pk).order_by("reason", "part")
    for reason, part, count in rows.values_list("reason", "part").annotate(rows=Count("*")):
        place = (labels.get(part, ""), reason)
        counted[place] = counted.get(place, 0) + count
    return tuple(Tally(entity, reason, count) for (entity, reason), count in counted.items())


def _first(change: Change, labels: dict[int, str], reason: str, size: int) -> Iterable[Conflict]:
    rows = SkippedRow.objects.filter(change_id=change.pk, reason=reason).order_by("part", "position")[:size]
    return (Conflict(labels.get(row.part, ""), key_text(row), row.reason, row.detail) for row in rows)


def key_text(row: SkippedRow) -> str:
    """The key as people write it."""
    return str(row.position) if row.key is None else "/".join(map(str, row.key))


def first_of(events: list[int]) -> Event:
    """The first of the named statements. Raises EventNotFound for acts, for events of other tenants, for none."""
    named = statements(events).order_by("pk").first()
    if named is None:
        raise EventNotFound(field="source.events", value=", ".join(map(str, events[:5])))
    return named


def statements(events: list[int], *, transaction: bool = False) -> QuerySet[Event]:
    """The named statements, or all of their transactions."""
    written = Event.objects.exclude(operation=Event.Operation.ACT)
    named = written.filter(pk__in=events[:LIMIT])
    if not transaction:
        return named
    span = named.aggregate(low=Min("pk"), high=Max("pk"))
    if span["low"] is None:
        return named
    xids = list(named.order_by().values_list("xid", flat=True).distinct())
    return written.filter(pk__range=(span["low"] - AROUND, span["high"] + AROUND), xid__in=xids)


def written_by(events: list[int], *, transaction: bool) -> tuple[Written, ...]:
    """What the statements did, table by table."""
    rows = statements(events, transaction=transaction).order_by("entity", "operation")
    counted = rows.values_list("entity", "operation").annotate(events=Count("*"), rows=Sum("affected_rows"))
    return tuple(Written(*line) for line in counted)
