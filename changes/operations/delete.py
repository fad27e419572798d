"""Delete: archive the selected rows and everything that goes along, clear links to them."""

from __future__ import annotations

from changes.freezing import Freezer, delete_columns
from changes.models import Change
from changes.operations.base import OperationKind
from changes.plan import Plan
from changes.selection import Selection
from changes.states import Effect, Operation


def freeze(change: Change, selection: Selection | None, cascade_also: frozenset[str]) -> Plan:
    """Freeze the selection and its closure."""
    assert selection is not None
    freezer = Freezer(tenant_id=change.tenant_id, change_id=change.pk)
    part = freezer.add_part(selection.entity, Effect.DELETE, delete_columns(selection.entity))
    freezer.freeze_selection(KIND.rows(selection), part)
    protected = freezer.follow(cascade_also=cascade_also)
    return Plan(parts=freezer.parts, protected=protected)


KIND = OperationKind(name=Operation.DELETE, label=Operation.DELETE.label, freeze=freeze, deepest_first=True)
