"""The form of step 1: what was typed, as values, and what it means as a selection.

Rows of the form are numbered: f-3, o-3, v-3 and g-3 (its group). Groups are joined by OR, rows inside by AND.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.http import QueryDict

from audit.entity import SoftDeleted

ROW_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One condition as typed."""

    field: str = ""
    op: str = "eq"
    value: str = ""

    @property
    def is_blank(self) -> bool:
        return not self.field


@dataclass(frozen=True, slots=True)
class Choice:
    """The whole form: mode is `conditions` or `keys`; there is always one group with one row."""

    mode: str = "conditions"
    groups: tuple[tuple[Row, ...], ...] = ((Row(),),)
    keys: str = ""


def bound(data: QueryDict, entity: type[SoftDeleted]) -> Choice:
    """The form as it was sent."""
    numbers = sorted({int(name[2:]) for name in data if re.fullmatch(r"f-\d{1,3}", name)})[:ROW_LIMIT]
    groups: dict[str, list[Row]] = {}
    for n in numbers:
        row = Row(data.get(f"f-{n}", ""), data.get(f"o-{n}", "eq"), data.get(f"v-{n}", ""))
        groups.setdefault(data.get(f"g-{n}", "0"), []).append(row)
    listed = tuple(tuple(rows) for rows in groups.values()) or ((Row(),),)
    return Choice("keys" if data.get("mode") == "keys" else "conditions", listed, data.get("keys", ""))


def below(data: QueryDict, prefix: str) -> QueryDict:
    """The part of a larger form whose names begin with `prefix`, without it."""
    own = QueryDict(mutable=True)
    for name in data:
        if name.startswith(prefix):
            own.setlist(name.removeprefix(prefix), data.getlist(name))
    return own


def pressed(choice: Choice, button: str) -> Choice:
    """The form after a button that changes only the form: add:0, group, remove:0.1, mode:keys, refresh."""
    act, _, where = button.partition(":")
    groups = [list(group) for group in choice.groups]
    if act == "mode":
        return replace(choice, mode="keys" if where == "keys" else "conditions")
    if act == "group":
        groups.append([Row()])
    elif act == "add" and where.isdigit() and int(where) < len(groups):
        groups[int(where)].append(Row())
    elif act == "remove" and re.fullmatch(r"\d{1,3}\.\d{1,3}", where):
        group, row = map(int, where.split("."))
        if group < len(groups) and row < len(groups[group]):
            del groups[group][row]
    kept = tuple(tuple(group) for group in groups if group)
    return replace(choice, groups=kept or ((Row(),),))


def to_selection(choice: Choice, entity: type[SoftDeleted]) -> dict[str, Any]:
    """The selection as `changes.selection` reads it. Lines without a field are no condition."""
    if choice.mode == "keys":
        return {"keys": [_key(text, entity) for text in re.split(r"[\s,;]+", choice.keys) if text]}
    groups = [[_condition(row) for row in group if not row.is_blank] for group in choice.groups]
    groups = [group for group in groups if group]
    if len(groups) > 1:
        return {"any": groups}
    return {"where": groups[0] if groups else []}


def from_selection(selection: Mapping[str, Any]) -> Choice:
    """The form that gives this selection."""
    if "keys" in selection:
        keys = ["/".join(map(str, key)) if isinstance(key, list) else str(key) for key in selection["keys"]]
        return Choice("keys", keys="\n".join(keys))
    groups = [
        selection.get("where") or [],
        *[g.get("where", []) if isinstance(g, dict) else g for g in selection.get("any", [])],
    ]
    listed = tuple(tuple(_row(item) for item in group) for group in groups if group)
    return Choice("conditions", listed or ((Row(),),))


def same_without(selection: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Keys that were left out of a selection stay out of it while its conditions are the same; the form does not show them."""
    same = {name: value for name, value in before.items() if name != "without"} == selection
    return {**selection, "without": before["without"]} if same and "without" in before else selection


def _key(text: str, entity: type[SoftDeleted]) -> Any:
    return text.split("/") if entity._meta.is_composite_pk else text


def _condition(row: Row) -> dict[str, Any]:
    value: Any = row.value.strip()
    if row.op == "isnull":
        value = row.value != "no"
    elif row.op in ("in", "between"):
        value = [part.strip() for part in re.split(r"\.\.|[,;\n]", row.value) if part.strip()]
    return {"field": row.field, "op": row.op, "value": value}


def _row(item: Mapping[str, Any]) -> Row:
    value = item.get("value")
    if item.get("op") == "isnull":
        text = "yes" if value else "no"
    elif isinstance(value, list):
        text = (" .. " if item.get("op") == "between" else ", ").join(map(str, value))
    else:
        text = "" if value is None else str(value)
    return Row(str(item.get("field", "")), str(item.get("op", "eq")), text)
