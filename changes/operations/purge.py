"""Purge: remove rows of the recycle bin for good, once their retention has passed and they lie in cold storage."""

from __future__ import annotations

from changes.models import Change
from changes.operations.base import OperationKind
from changes.plan import Plan
from changes.purging import PurgeFreezer
from changes.selection import Selection
from changes.states import Operation


def freeze(change: Change, selection: Selection | None, cascade_also: frozenset[str]) -> Plan:
    """Freeze the selected rows that are due, and what went to the recycle bin with them."""
    assert selection is not None
    return PurgeFreezer(change).freeze_purge(KIND.rows(selection), selection.entity, cascade_also=cascade_also)


KIND = OperationKind(
    name=Operation.PURGE,
    label=Operation.PURGE.label,
    freeze=freeze,
    action="change.purge",
    live_rows=False,
    approvals=1,
)
