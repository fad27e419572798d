"""Update: set fields of the selected rows to given values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit import registry
from audit.entity import SoftDeleted
from changes import writable
from changes.assigning import Assigner
from changes.errors import BadOption, NothingToSet
from changes.models import Change
from changes.operations.base import OperationKind, only_known
from changes.plan import Plan
from changes.selection import Selection
from changes.states import Operation


def freeze(change: Change, selection: Selection | None, cascade_also: frozenset[str]) -> Plan:
    """Freeze the rows that do not hold the values yet."""
    assert selection is not None
    assigner = Assigner(change, selection.entity)
    assigner.freeze_update(KIND.rows(selection), selection.entity)
    return assigner.plan()


def read_options(entity: type[SoftDeleted], asked: Mapping[str, Any]) -> dict[str, Any]:
    """{"set": {field: value}, "including": [field, …]}; the second names what is sensitive or not recorded.

    Raises NothingToSet, UnknownField, NotWritable, BadValue, SayIncluding.
    """
    only_known(asked, ("set", "including"))
    given = asked.get("set")
    if not isinstance(given, Mapping) or not given:
        raise NothingToSet(field="options.set", known=", ".join(sorted(writable.writable(entity))))
    values = {}
    for name in sorted(map(str, given)):
        place = f"options.set.{name[:60]}"
        field = writable.field_of(entity, name, place)
        value = writable.typed(entity, field, given[name], place)
        writable.living(field, value, place)
        values[name] = writable.stored(field, value)
    said = _names(asked.get("including", []))
    options: dict[str, Any] = {"set": values}
    if including := writable.say_including(entity, values, said, "options.including"):
        options["including"] = including
    return options


def in_words(change: Change) -> tuple[str, ...]:
    """Each field with what it becomes."""
    entity = registry.entity(change.entity)
    values = change.options.get("set", {})
    return tuple(writable.in_words(entity, name, value) for name, value in values.items())


def _names(given: Any) -> list[str]:
    if not isinstance(given, (list, tuple)) or not all(isinstance(name, str) for name in given):
        raise BadOption(field="options.including", value=str(given)[:40], known="[field, …]")
    return list(given)


KIND = OperationKind(
    name=Operation.UPDATE,
    label=Operation.UPDATE.label,
    freeze=freeze,
    read_options=read_options,
    in_words=in_words,
)
