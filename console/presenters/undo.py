"""What an undo would bring back, and what it would leave alone, in words. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.presenters.impact import Impact, Part, impact
from console.presenters.words import number


@dataclass(frozen=True, slots=True)
class ConflictRow:
    entity: str
    key: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoWords:
    """The undo page's numbers and lists, all of one preview."""

    rows: str
    button: str
    conflicts: str
    rest: str
    listed: tuple[ConflictRow, ...]
    impact: Impact


def undo_words(preview: Any, *, label: Callable[[str], str], table: Callable[[str], str]) -> UndoWords:
    """Put a `changes.undoing.UndoPreview` into words."""
    back = max(0, preview.rows - preview.conflicts)
    parts = [
        Part(name=label(entity), table=table(entity), effect="revert", depth=0, rows=rows)
        for entity, rows in preview.parts
    ]
    listed = tuple(ConflictRow(label(c.entity), c.key, _reason(c.reason), c.detail) for c in preview.sample)
    more = preview.conflicts - len(listed)
    return UndoWords(
        rows=number(back),
        button=ngettext("Undo %(rows)s row", "Undo %(rows)s rows", back) % {"rows": number(back)},
        conflicts=_conflicts(preview.conflicts),
        rest=_("and %(count)s more") % {"count": number(more)} if more > 0 else "",
        listed=listed,
        impact=impact(parts, operation="undo"),
    )


def _conflicts(count: int) -> str:
    if not count:
        return ""
    return ngettext(
        "%(count)s row is in conflict with newer work and stays as it is.",
        "%(count)s rows are in conflict with newer work and stay as they are.",
        count,
    ) % {"count": number(count)}


def _reason(reason: str) -> str:
    words = {
        "changed_since": _("changed since"),
        "gone": _("no longer there"),
        "unique_taken": _("a unique value is taken by another row"),
        "parent_deleted": _("the row it belongs to is deleted"),
        "error": _("refused by the database"),
    }
    return words.get(reason, reason)
