"""The operations: one small file each, one line here. A project's own come from the setting CUSTODY_OPERATIONS."""

from __future__ import annotations

from django.conf import settings
from django.utils.module_loading import import_string

from changes.operations import delete, purge, restore, rollback, undo
from changes.operations.base import OperationKind

SHIPPED = (delete.KIND, restore.KIND, undo.KIND, rollback.KIND, purge.KIND)
REGISTRY: dict[str, OperationKind] = {
    kind.name: kind for kind in (*SHIPPED, *map(import_string, settings.CUSTODY_OPERATIONS))
}
