"""Undo: bring back what one change did, or what events did that no change made, where nobody has worked on it since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.entity import SoftDeleted
from changes import conflicts, partial
from changes.event_freezing import EventFreezer, parse_source
from changes.models import Change
from changes.operations.base import OperationKind, only_known
from changes.plan import Plan
from changes.selection import Selection
from changes.states import Operation
from changes.undo_freezing import UndoFreezer


def freeze(change: Change, selection: Selection | None, cascade_also: frozenset[str]) -> Plan:
    """Freeze the rows the original changed, each with the version before and the version after."""
    if change.undo_of is not None:
        freezer = UndoFreezer(change)
        freezer.freeze_undo(change.undo_of)
        return freezer.plan()
    by_event = EventFreezer(change)
    by_event.freeze_events(change.options["source"])
    return by_event.plan()


def read_options(entity: type[SoftDeleted], asked: Mapping[str, Any]) -> dict[str, Any]:
    """{"conflicts": {class: rule}, "only": {…}, "source": {…}}; the last one where no change is named."""
    only_known(asked, ("conflicts", "only", "source"))
    options: dict[str, Any] = {}
    if rules := conflicts.parse(asked.get("conflicts")):
        options["conflicts"] = rules
    if only := partial.parse(asked.get("only")):
        options["only"] = only
    if asked.get("source") is not None:
        options["source"] = parse_source(asked["source"])
    return options


KIND = OperationKind(
    name=Operation.UNDO,
    label=Operation.UNDO.label,
    freeze=freeze,
    needs_selection=False,
    live_rows=False,
    read_options=read_options,
)
