"""The operations: one small file each, one line here."""

from __future__ import annotations

from changes.operations import delete, restore, undo
from changes.operations.base import OperationKind
from changes.states import Operation

REGISTRY: dict[str, OperationKind] = {
    Operation.DELETE: delete.KIND,
    Operation.RESTORE: restore.KIND,
    Operation.UNDO: undo.KIND,
}
