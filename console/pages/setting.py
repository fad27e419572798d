"""Which fields become what, in step 1 of an update: what was typed, as values, and as options of the change.

Lines of the form are numbered: s-3 (field) and w-3 (its value). A field that is named as sensitive in the list and chosen
there is said to be written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from audit.entity import SoftDeleted
from changes import writable
from changes.operations import REGISTRY
from changes.states import Operation

LINE_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Setting:
    """One line as typed."""

    field: str = ""
    value: str = ""


Settings = tuple[Setting, ...]
BLANK: Settings = (Setting(),)


def bound(data: QueryDict) -> Settings:
    """The lines as they were sent."""
    numbers = sorted({int(name[2:]) for name in data if re.fullmatch(r"s-\d{1,3}", name)})[:LINE_LIMIT]
    return tuple(Setting(data.get(f"s-{n}", ""), data.get(f"w-{n}", "")) for n in numbers) or BLANK


def pressed(lines: Settings, button: str) -> Settings:
    """The lines after a button that changes only the form: set:add, set:remove.0."""
    if button == "set:add":
        return (*lines, Setting())
    found = re.fullmatch(r"set:remove\.(\d{1,3})", button)
    if found is not None:
        return tuple(line for n, line in enumerate(lines) if n != int(found[1])) or BLANK
    return lines


def to_options(lines: Settings, entity: type[SoftDeleted]) -> dict[str, Any]:
    """The options of an update, checked. Raises an Invalid that names the field."""
    values: dict[str, Any] = {}
    for line in lines:
        if not line.field:
            continue
        place = f"options.set.{line.field[:60]}"
        field = writable.field_of(entity, line.field, place)
        values[line.field] = writable.stored(field, writable.from_cell(entity, field, line.value, place))
    said = {*entity.governance.sensitive, *entity.governance.untracked}
    asked = {"set": values, "including": [name for name in values if name in said]}
    return REGISTRY[Operation.UPDATE].read_options(entity, asked)


def from_options(options: Mapping[str, Any]) -> Settings:
    """The lines that give these options."""
    return tuple(Setting(name, _text(value)) for name, value in options.get("set", {}).items()) or BLANK


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
