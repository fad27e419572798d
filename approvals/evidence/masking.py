"""Values of sensitive fields do not leave in a pack: no role may read them there, so all of them are masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit import registry
from audit.errors import UnknownEntity
from changes.models import Change

MASK = "•••"


def sensitive(entity: str) -> frozenset[str]:
    """Names and columns of the fields of an entity that are not shown; none of an entity that is no longer there."""
    try:
        model = registry.entity(entity)
    except UnknownEntity:
        return frozenset()
    fields = [model._meta.get_field(name) for name in model.governance.sensitive]
    return frozenset(name for field in fields for name in (field.name, str(getattr(field, "column", ""))))


def masked(value: Any, hidden: frozenset[str]) -> Any:
    """The value without what sensitive names hold, at any depth; of a condition its field tells."""
    if isinstance(value, list):
        return [masked(one, hidden) for one in value]
    if not isinstance(value, Mapping):
        return value
    if value.get("field") in hidden and "value" in value:
        return {**value, "value": MASK}
    return {name: MASK if name in hidden and one is not None else masked(one, hidden) for name, one in value.items()}


def names_values(change: Change, hidden: frozenset[str]) -> bool:
    """Whether the words of a change may repeat a value that is not shown."""
    return bool(masked([change.selection, change.options], hidden) != [change.selection, change.options])
