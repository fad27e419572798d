"""What a change does, table by table, from one frozen count. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.presenters.states import Pill
from console.presenters.words import number

FOLD_DEPTH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The rows of one table; effect is one of `changes.states.Effect`, or block."""

    name: str | Promise
    table: str
    effect: str
    depth: int
    rows: int
    conflicts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the impact table. `bar` is the width of its bar, 0 to 100, on a square-root scale."""

    name: str
    table: str
    kind: str
    depth: int
    pill: Pill
    rows: str
    bar: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """The table with its sums, all of one count."""

    rows: tuple[Row, ...]
    total_label: str
    total: str
    title: str

    @property
    def deep(self) -> int:
        """Lines below the depth that is shown open."""
        return sum(row.depth >= FOLD_DEPTH for row in self.rows)


def impact(parts: Sequence[Part], *, operation: str, done: bool = False) -> Impact:
    """Lines in the order they hang together; blocked lines do not count to the total."""
    most = max((part.rows for part in parts), default=0)
    total = sum(part.rows for part in parts if part.effect != "block")
    return Impact(
        rows=tuple(_row(part, operation, first=index == 0, most=most) for index, part in enumerate(parts)),
        total=number(total),
        total_label=_("Rows in this change") if done else _("Rows that would be touched"),
        title=_title(operation, done),
    )


def _title(operation: str, done: bool) -> str:
    if operation == "purge":
        return _("What was to be removed for good") if done else _("What will be removed for good")
    if operation not in ("delete", "restore", "undo", "rollback"):
        return _("What was to be changed") if done else _("What will be changed")
    if operation == "rollback":
        return _("What was to go back") if done else _("What goes back")
    if operation == "delete":
        return _("What was to be deleted") if done else _("What will be deleted")
    return _("What was to be brought back") if done else _("What will be brought back")


def _row(part: Part, operation: str, *, first: bool, most: int) -> Row:
    return Row(
        name=capital(str(part.name)),
        table=part.table,
        kind=(kind := _kind(part, operation, first=first)),
        depth=min(part.depth, 4),
        pill=_pill(kind, operation),
        rows=number(part.rows),
        bar=bar(part.rows, most),
        note=_conflicts(part.conflicts),
    )


def _kind(part: Part, operation: str, *, first: bool) -> str:
    """What the line is about: a delete archives what was selected, an undo what had been added."""
    if part.effect != "delete":
        return part.effect
    if operation != "delete":
        return "archive"
    return "selected" if first and part.depth == 0 else "delete"


def _pill(kind: str, operation: str) -> Pill:
    if operation == "rollback" and kind in ("archive", "add"):
        return Pill(_("added since, archived"), "warn") if kind == "archive" else Pill(_("added again"), "ok")
    pills = {
        "selected": Pill(_("selected"), "dark"),
        "delete": Pill(_("deleted too")),
        "archive": Pill(_("had been added, archived"), "warn"),
        "clear": Pill(_("kept, link cleared"), "acc"),
        "revert": Pill(_("put back"), "acc"),
        "recall": Pill(_("put back to an earlier version"), "acc"),
        "set": Pill(_("updated"), "acc"),
        "add": Pill(_("added"), "ok"),
        "load": Pill(_("updated from the file"), "acc"),
        "create": Pill(_("added from the file"), "ok"),
        "link": Pill(_("linked again"), "acc"),
        "remove": Pill(_("removed for good"), "bad"),
        "block": Pill(_("stops the change"), "bad"),
    }
    return pills.get(kind, Pill(kind, "acc"))


def _conflicts(count: int) -> str:
    if not count:
        return ""
    text = ngettext("%(count)s row in conflict", "%(count)s rows in conflict", count)
    return text % {"count": number(count)}


def bar(rows: int, most: int) -> str:
    """Width in percent on a square-root scale, so that ten rows beside a million can still be seen."""
    if not rows or not most:
        return "0"
    return f"{max(1.0, 100 * math.sqrt(rows / most)):.1f}"


def capital(text: str) -> str:
    """The first letter large; the rest as the model spells it."""
    return text[:1].upper() + text[1:]
