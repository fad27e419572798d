"""The form of an undo as values: a rule per class of conflict, and which part of it.

Everything of table 0 carries the prefix t0-: t0-table its label, t0-rows how rows are chosen (all, keys, conditions),
t0-f-3 and its like a condition as in `choosing`, t0-field the chosen fields.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from django.http import QueryDict

from audit import registry
from changes import conflicts, partial
from console.pages.choosing import Choice, below, bound, pressed, to_selection

TABLE_LIMIT = 100
WAYS = ("all", "conditions", "keys")


@dataclass(frozen=True, slots=True)
class TablePart:
    """What is chosen of one table; `fields` is None while nobody has touched the boxes, which means all."""

    label: str
    rows: str = "all"
    choice: Choice = field(default_factory=Choice)
    fields: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The whole form. `scope` is whole or part; what was chosen of a part is kept while the whole is looked at."""

    rules: dict[str, str] = field(default_factory=dict)
    scope: str = "whole"
    tables: tuple[TablePart, ...] = ()

    def of(self, label: str) -> TablePart:
        """What is chosen of the table."""
        return next((table for table in self.tables if table.label == label), TablePart(label))


def asked_in(data: QueryDict) -> Asked:
    """The form as it was sent, after its button: whole, part, t0-mode:keys, t0-add:0, …"""
    sent = Asked(
        rules={name: str(data.get(f"rule-{name}")) for name in conflicts.RULES if data.get(f"rule-{name}")},
        scope="part" if data.get("scope") == "part" else "whole",
        tables=tuple(_table(data, f"t{n}-") for n in range(TABLE_LIMIT) if data.get(f"t{n}-table")),
    )
    return _pressed(sent, data.get("do", ""))


def _table(data: QueryDict, prefix: str) -> TablePart:
    own = below(data, prefix)
    label, rows = own.get("table", ""), own.get("rows", "all")
    return TablePart(
        label=label,
        rows=rows if rows in WAYS else "all",
        choice=bound(own, registry.entity(label)),
        fields=tuple(own.getlist("field")) if "boxes" in own else None,
    )


def _pressed(asked: Asked, button: str) -> Asked:
    if button in ("whole", "part"):
        return replace(asked, scope=button)
    found = re.fullmatch(r"t(\d{1,2})-(.+)", button)
    if found is None or int(found[1]) >= len(asked.tables):
        return asked
    index, act = int(found[1]), found[2]
    table = asked.tables[index]
    way = act.removeprefix("mode:")
    if way in WAYS:
        table = replace(table, rows=way)
    else:
        table = replace(table, choice=pressed(table.choice, act))
    return replace(asked, tables=(*asked.tables[:index], table, *asked.tables[index + 1 :]))


def rules_of(asked: Asked, *, stopping: bool) -> dict[str, str]:
    """Rules that are not the usual one. Without `stopping`, rows whose rule is to stop are counted like any others."""
    leave = (conflicts.SKIP,) if stopping else (conflicts.SKIP, conflicts.ABORT)
    return {name: rule for name, rule in asked.rules.items() if rule not in leave}


def only_of(asked: Asked, scope: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, Any]:
    """The option `only`. `scope` is what there is to choose from; everything of everything is no narrowing."""
    if asked.scope != "part":
        return {}
    rows: dict[str, Any] = {}
    fields: dict[str, list[str]] = {}
    narrowed = False
    for label, columns in scope:
        entity, table = registry.entity(label), asked.of(label)
        names = partial.choices(entity, columns)
        chosen = names if table.fields is None else tuple(name for name in names if name in table.fields)
        narrowed = narrowed or chosen != names
        if chosen:
            fields[label] = list(chosen)
        if table.rows != "all":
            rows[label] = to_selection(replace(table.choice, mode=table.rows), entity)
    only: dict[str, Any] = {"rows": rows} if rows else {}
    if narrowed:
        # Without any field the first table says so: an empty choice would mean everything.
        only["fields"] = fields or {next(label for label, columns in scope if columns): []}
    return only


def mark_of(options: Any) -> str:
    """A short sign of what was looked at; asking for anything else shows it first."""
    return hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode()).hexdigest()[:16]
