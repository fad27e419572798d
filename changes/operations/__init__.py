"""The operations: one small file each, one line here. A project's own come from the setting CUSTODY_OPERATIONS."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from changes.effects import EFFECTS
from changes.effects.base import EffectKind
from changes.models import Change, ChangePart
from changes.operations import delete, importing, purge, restore, rollback, undo, update
from changes.operations.base import OperationKind
from changes.plan import PartPlan

SHIPPED = (delete.KIND, restore.KIND, update.KIND, importing.KIND, undo.KIND, rollback.KIND, purge.KIND)
NAME_LIMIT = 16


def registered(own: Iterable[OperationKind]) -> dict[str, OperationKind]:
    """The shipped operations and a project's own, by name. Raises ImproperlyConfigured where a name is taken or too long."""
    found = {kind.name: kind for kind in SHIPPED}
    for kind in own:
        if kind.name in found:
            raise ImproperlyConfigured(f"CUSTODY_OPERATIONS: there is an operation {kind.name!r} already.")
        for name in (kind.name, *kind.effects):
            if len(name) > NAME_LIMIT:
                raise ImproperlyConfigured(f"CUSTODY_OPERATIONS: {name!r} has more than {NAME_LIMIT} characters.")
        for name in kind.effects:
            if name in EFFECTS:
                raise ImproperlyConfigured(f"CUSTODY_OPERATIONS: there is an effect {name!r} already.")
        found[kind.name] = kind
    return found


REGISTRY = registered(map(import_string, settings.CUSTODY_OPERATIONS))


def effect_of(change: Change, part: ChangePart | PartPlan) -> EffectKind:
    """What happens to the rows of a part: an effect of the operation's own, or a shipped one."""
    own = REGISTRY[change.operation].effects.get(part.effect)
    return EFFECTS[part.effect] if own is None else own
