"""Undo: bring back what one change did, row by row, where nobody has worked on it since."""

from __future__ import annotations

from functools import partial

from changes.models import Change
from changes.operations import revert
from changes.operations.base import OperationKind
from changes.plan import Plan
from changes.reverting import Reverter
from changes.selection import Selection


def freeze(change: Change, selection: Selection | None, cascade_also: frozenset[str]) -> Plan:
    """Freeze the rows the original changed, each with the version before and the version after."""
    assert change.undo_of is not None
    reverter = Reverter(tenant_id=change.tenant_id, change_id=change.pk)
    reverter.freeze_undo(change.undo_of)
    return Plan(parts=reverter.parts)


KIND = OperationKind(
    freeze=freeze,
    chunk_sql=partial(revert.chunk_sql, before=revert.preceding),
    deepest_first=False,
    needs_selection=False,
    live_rows=False,
    skip_sql=revert.skip_sql,
)
