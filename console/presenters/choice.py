"""Step 1 of a new change in words: fields, comparisons, the place of an error, the count. Pure over model metadata."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from audit.entity import SoftDeleted
from changes.errors import EmptySelection
from changes.selection import WORDS, filterable, lookups_for, word
from console.pages.choosing import Choice, Row
from console.presenters.notes import Note
from console.presenters.states import Stage
from console.presenters.words import number
from foundation.errors import Invalid

CAP = 100_000
HIDDEN = ("retention_policy",)


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    text: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One condition; `input` is the type of the value's input, or `select`, or `yesno`."""

    number: int
    group: int
    first: bool
    remove: str
    fields: tuple[Option, ...]
    ops: tuple[Option, ...]
    input: str
    choices: tuple[Option, ...]
    value: str
    hint: str
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The whole step."""

    mode: str
    groups: tuple[tuple[Line, ...], ...]
    keys: str
    keys_error: str
    error: str


def form(choice: Choice, entity: type[SoftDeleted], error: Invalid | None = None) -> Form:
    """The form with the typed values, and the error beside the line it is about."""
    place = _place(choice, error)
    groups, n = [], 0
    for g, rows in enumerate(choice.groups):
        lines = []
        for r, row in enumerate(rows):
            lines.append(_line(row, entity, number=n, group=g, place=r, error=str(error) if place == (g, r) else ""))
            n += 1
        groups.append(tuple(lines))
    in_keys = error is not None and str(error.facts.get("field", "")).startswith("selection.keys")
    return Form(
        mode=choice.mode,
        groups=tuple(groups),
        keys=choice.keys,
        keys_error=str(error) if in_keys else "",
        error=str(error) if error is not None and place is None and not in_keys else "",
    )


def _place(choice: Choice, error: Invalid | None) -> tuple[int, int] | None:
    """Group and row of an error's field; blank lines were no conditions and are stepped over."""
    name = str(error.facts.get("field", "")) if error is not None else ""
    found = re.match(r"selection\.(?:where|any\.(\d+))\.(\d+)", name)
    if found is None:
        return None
    filled = [[r for r, row in enumerate(rows) if not row.is_blank] for rows in choice.groups]
    used = [(g, rows) for g, rows in enumerate(filled) if rows]
    group, row = int(found[1] or 0), int(found[2])
    if group >= len(used) or row >= len(used[group][1]):
        return None
    return used[group][0], used[group][1][row]


def _line(row: Row, entity: type[SoftDeleted], *, number: int, group: int, place: int, error: str) -> Line:
    known = {name: field for name, field in filterable(entity).items() if name not in HIDDEN}
    field: Any = known.get(row.field)
    lookups = lookups_for(field) if field is not None else ("eq",)
    op = row.op if row.op in lookups else lookups[0]
    kind = _input(field, op)
    return Line(
        number=number,
        group=group,
        first=place == 0,
        remove=f"remove:{group}.{place}",
        fields=tuple(Option(name, str(f.verbose_name), name == row.field) for name, f in known.items()),
        ops=tuple(
            Option(name, word(field, name) if field is not None else str(WORDS[name]), name == op) for name in lookups
        ),
        input=kind,
        choices=_choices(field, row, kind),
        value=row.value,
        hint=_hint(field, op),
        error=error,
    )


def _input(field: Any, op: str) -> str:
    if op == "isnull":
        return "yesno"
    if field is not None and (field.choices or isinstance(field, models.BooleanField)) and op in ("eq", "ne"):
        return "select"
    if op in ("in", "between") or field is None:
        return "text"
    return "date" if isinstance(field, models.DateField) and not isinstance(field, models.DateTimeField) else "text"


def _choices(field: Any, row: Row, kind: str) -> tuple[Option, ...]:
    if kind == "yesno":
        return (Option("yes", _("yes"), row.value != "no"), Option("no", _("no"), row.value == "no"))
    if kind != "select":
        return ()
    pairs = field.flatchoices if field.choices else [("true", _("yes")), ("false", _("no"))]
    return tuple(Option(str(value), str(text), str(value) == row.value) for value, text in pairs)


def _hint(field: Any, op: str) -> str:
    if op == "between":
        return _("two values: 10 .. 20")
    if op == "in":
        return _("several values, with commas")
    if isinstance(field, models.DateTimeField):
        return _("2025-12-31 or 2025-12-31 14:00")
    if isinstance(field, models.ForeignKey):
        return _("the key")
    return ""


def heading(operation: str, plural: str) -> str:
    """The page's title, on all three steps."""
    texts = {
        "delete": _("Delete %(entity)s"),
        "restore": _("Restore %(entity)s"),
        "purge": _("Remove %(entity)s for good"),
        "update": _("Update %(entity)s"),
        "import": _("Import %(entity)s"),
    }
    return texts.get(operation, operation.capitalize() + ": %(entity)s") % {"entity": plural}


def button(operation: str, rows: int, entity_rows: int, plural: str, approvals: int) -> str:
    """What the last button does, with the numbers of the same plan."""
    facts = {"rows": number(rows), "count": number(entity_rows), "entity": plural}
    if approvals:
        return (
            ngettext("Freeze %(rows)s row and ask for approval", "Freeze %(rows)s rows and ask for approval", rows)
            % facts
        )
    if operation == "delete":
        return ngettext("Delete %(rows)s row now", "Delete %(rows)s rows now", rows) % facts
    if operation == "restore":
        return ngettext("Restore %(rows)s row now", "Restore %(rows)s rows now", rows) % facts
    return ngettext("Change %(rows)s row now", "Change %(rows)s rows now", rows) % facts


def counted(rows: int | None, plural: str) -> Note:
    """The count, capped, or that it takes too long."""
    if rows is None:
        return Note("", "time", _("Too many to count quickly"), _("The next page counts exactly."))
    if rows > CAP:
        return Note("warn", "table", _("More than %(cap)s") % {"cap": number(CAP)}, plural)
    if not rows:
        return Note("warn", "info", _("Nothing matches"), "")
    return Note("ok", "table", number(rows), plural)


def uncounted(error: Invalid) -> Note:
    """Why there is no count yet: said quietly, because the person is still typing; what is still empty is no mistake."""
    unfinished = isinstance(error, EmptySelection) or error.facts.get("value") == ""
    return Note("", "info", _("No count yet"), _("Fill in what is still empty.") if unfinished else str(error))


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the three; earlier ones can be gone back to."""

    stage: Stage
    url: str


def steps(now: str, draft_id: int | None, *, operation: str = "") -> tuple[Step, ...]:
    """Choose, look, say why; a file is sent instead of chosen."""
    names = {"choose": _("1 Choose"), "look": _("2 Look"), "why": _("3 Say why")}
    if operation == "import":
        names["choose"] = _("1 Send a file")
    order = list(names)
    found = []
    for index, name in enumerate(order):
        mark = "now" if name == now else "ok" if index < order.index(now) else ""
        there = mark == "ok" and draft_id is not None and not (operation == "import" and name == "choose")
        url = reverse(f"admin:change-{name}", args=[draft_id]) if there else ""
        found.append(Step(Stage(names[name], mark), url))
    return tuple(found)
