"""The operations: one small file each, one line here. A project's own come from the setting CUSTODY_OPERATIONS."""

from __future__ import annotations

from django.conf import settings
from django.utils.module_loading import import_string

from changes.effects import EFFECTS
from changes.effects.base import EffectKind
from changes.models import Change, ChangePart
from changes.operations import delete, importing, restore, undo, update
from changes.operations.base import OperationKind
from changes.plan import PartPlan

SHIPPED = (delete.KIND, restore.KIND, update.KIND, importing.KIND, undo.KIND)
REGISTRY: dict[str, OperationKind] = {
    kind.name: kind for kind in (*SHIPPED, *map(import_string, settings.CUSTODY_OPERATIONS))
}


def effect_of(change: Change, part: ChangePart | PartPlan) -> EffectKind:
    """What happens to the rows of a part: an effect of the operation's own, or a shipped one."""
    own = REGISTRY[change.operation].effects.get(part.effect)
    return EFFECTS[part.effect] if own is None else own
