"""What an undo would do, before anybody asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audit import registry
from changes.models import Change, SkippedRow
from changes.operations import REGISTRY
from changes.planning import freeze_rows
from changes.states import Operation, State
from changes.submission import undoable
from foundation.actor import Actor
from foundation.postgres.transactions import consistent


@dataclass(frozen=True, slots=True)
class Conflict:
    """A row that an undo would leave alone."""

    entity: str
    key: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class UndoPreview:
    """Rows per table that would come back, and the rows that would not, the first of them by name."""

    rows: int
    parts: tuple[tuple[str, int], ...]
    conflicts: int
    sample: tuple[Conflict, ...]


class _TakeBack(Exception):
    """Ends the preview's transaction without a commit."""


def preview_undo(
    change_id: int, *, actor: Actor, options: Mapping[str, Any] | None = None, size: int = 20
) -> UndoPreview:
    """Plan the undo for real and roll it back. Raises WrongState, NothingToUndo, ChangeNotFound, an Invalid option."""
    return _preview(actor, change_id, None, options, size)


def preview_undo_of_events(entity: str, *, actor: Actor, options: Mapping[str, Any], size: int = 20) -> UndoPreview:
    """The same for events that no change made: `options` names them as its source. Raises EventNotFound."""
    return _preview(actor, None, entity, options, size)


def _preview(
    actor: Actor, change_id: int | None, entity: str | None, options: Mapping[str, Any] | None, size: int
) -> UndoPreview:
    found: list[UndoPreview] = []
    try:
        with consistent():
            original = None if change_id is None else undoable(change_id)
            label = original.entity if original is not None else str(entity)
            change = Change.objects.create(
                tenant_id=actor.tenant,
                operation=Operation.UNDO,
                entity=label,
                state=State.DRAFT,
                requester_name=actor.name,
                undo_of=original,
                options=REGISTRY[Operation.UNDO].read_options(registry.entity(label), options or {}),
            )
            plan = freeze_rows(change, None, frozenset())
            labels = {part.number: part.entity._meta.label_lower for part in plan.parts}
            parts = tuple((labels[part.number], part.rows) for part in plan.parts)
            found.append(
                UndoPreview(plan.rows_total, parts, sum(p.conflicts for p in plan.parts), _sample(change, labels, size))
            )
            raise _TakeBack
    except _TakeBack:
        return found[0]


def _sample(change: Change, labels: dict[int, str], size: int) -> tuple[Conflict, ...]:
    rows = SkippedRow.objects.filter(change_id=change.pk).order_by("part", "position")[:size]
    return tuple(Conflict(labels.get(row.part, ""), key_text(row), row.reason, row.detail) for row in rows)


def key_text(row: SkippedRow) -> str:
    """The key as people write it."""
    return str(row.position) if row.key is None else "/".join(map(str, row.key))
