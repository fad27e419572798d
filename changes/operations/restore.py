"""Restore: bring chosen rows back from the recycle bin, with what went along with them."""

from __future__ import annotations

from functools import partial

from changes.models import Change
from changes.operations import revert
from changes.operations.base import OperationKind
from changes.plan import Plan
from changes.reverting import Reverter
from changes.selection import Selection


def freeze(change: Change, selection: Selection | None, cascade_also: frozenset[str]) -> Plan:
    """Freeze the selected deleted rows with the last version in which they were alive."""
    assert selection is not None
    reverter = Reverter(tenant_id=change.tenant_id, change_id=change.pk)
    reverter.freeze_restore(KIND.rows(selection), selection.entity)
    return Plan(parts=reverter.parts)


KIND = OperationKind(
    freeze=freeze,
    chunk_sql=partial(revert.chunk_sql, before=revert.named),
    deepest_first=False,
    live_rows=False,
    skip_sql=revert.skip_sql,
)
