"""Restore: bring chosen rows back from the recycle bin, with what went along with them."""

from __future__ import annotations

from changes.models import Change
from changes.operations.base import OperationKind
from changes.plan import Plan
from changes.restoring import RestoreFreezer
from changes.selection import Selection
from changes.states import Operation


def freeze(change: Change, selection: Selection | None, cascade_also: frozenset[str]) -> Plan:
    """Freeze the selected deleted rows with the last version in which they were alive."""
    assert selection is not None
    freezer = RestoreFreezer(change)
    freezer.freeze_restore(KIND.rows(selection), selection.entity)
    return freezer.plan()


KIND = OperationKind(name=Operation.RESTORE, label=Operation.RESTORE.label, freeze=freeze, live_rows=False)
