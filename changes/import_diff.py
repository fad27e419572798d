"""The lines of an imported file, page by page, field by field before and after."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import models

from changes import writable
from changes.effects import load
from changes.import_layout import Layout
from changes.models import Change, ImportRow
from changes.states import Verdict

PAGE = 50


@dataclass(frozen=True, slots=True)
class FieldDiff:
    """A field of a line; `before` is what the row holds now, None for nothing."""

    name: str
    label: str
    before: str | None
    after: str | None
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class LineDiff:
    """A line; `key` is that of the row it is about, empty for a new one."""

    line: int
    verdict: str
    key: str
    reason: str
    detail: str
    fields: tuple[FieldDiff, ...]
    problems: tuple[dict[str, str], ...]


def lines(change: Change, *, verdict: str = "", after: int = 0) -> Any:
    """Lines in the order of the file, below line `after`, one verdict or all."""
    rows = ImportRow.objects.filter(change_id=change.pk, line__gt=after).order_by("line")
    return rows.filter(verdict=verdict) if verdict in Verdict.values else rows


def diff(change: Change, rows: list[ImportRow], *, hidden: Collection[str] = ()) -> list[LineDiff]:
    """Some lines with their rows as they are now. Values of `hidden` fields are left out."""
    layout = load.layout_of(change)
    present = _rows(layout, rows)
    return [_line(layout, row, present.get(_key(layout, row)), frozenset(hidden)) for row in rows]


def _line(layout: Layout, row: ImportRow, present: Any, hidden: frozenset[str]) -> LineDiff:
    fields: list[FieldDiff] = []
    if row.verdict in (Verdict.NEW, Verdict.CHANGED, Verdict.CONFLICT):
        for field, text in zip(layout.fields, row.values, strict=False):
            if field in layout.match and present is not None:
                continue
            if present is not None and _equal(field, field.value_from_object(present), text):
                continue
            before = None if present is None else writable.as_text(field, field.value_from_object(present))
            secret = field.name in hidden
            old, new = (None, None) if secret else (before, text)
            fields.append(FieldDiff(field.name, str(field.verbose_name), old, new, secret))
    key = "" if present is None else _key_text(present.pk)
    problems = tuple(one if one["column"] not in hidden else {**one, "value": ""} for one in row.problems)
    return LineDiff(row.line, row.verdict, key, row.reason, row.detail, tuple(fields), problems)


def _rows(layout: Layout, rows: list[ImportRow]) -> dict[Any, Any]:
    """The rows that these lines are about, by key."""
    model: Any = layout.entity
    keys = [key for key in (_key(layout, row) for row in rows) if key is not None]
    return {row.pk: row for row in model.objects_and_deleted.filter(pk__in=keys)} if keys else {}


def _key(layout: Layout, row: ImportRow) -> Any:
    if row.verdict not in (Verdict.CHANGED, Verdict.SAME, Verdict.CONFLICT):
        return None
    if layout.table.integer_key:
        return row.position
    if row.key is None:
        return None
    found = tuple(_target(f).to_python(t) for f, t in zip(layout.entity._meta.pk_fields, row.key, strict=True))
    return found[0] if len(found) == 1 else found


def _equal(field: Any, value: Any, text: str | None) -> bool:
    if value is None or text is None:
        return value is None and text is None
    if writable.as_text(field, value) == text:
        return True
    target = _target(field)
    if isinstance(target, models.DecimalField):
        return bool(value == Decimal(text))
    if isinstance(target, (models.DateTimeField, models.FloatField)):
        return bool(value == target.to_python(text))
    return False


def _target(field: Any) -> Any:
    return field.target_field if isinstance(field, models.ForeignKey) else field


def _key_text(key: Any) -> str:
    return "/".join(map(str, key)) if isinstance(key, tuple) else str(key)
