"""The lines of an imported file in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from changes.states import SkipReason, Verdict
from console.presenters.states import Pill
from console.presenters.words import number

TONES = {Verdict.NEW: "ok", Verdict.CHANGED: "acc", Verdict.SAME: "", Verdict.CONFLICT: "warn", Verdict.WRONG: "bad"}


@dataclass(frozen=True, slots=True)
class Tab:
    """Lines of one verdict."""

    verdict: str
    text: str
    count: str
    now: bool


@dataclass(frozen=True, slots=True)
class LineWords:
    """One line of the list: what it does, and why not."""

    line: str
    pill: Pill
    key: str
    url: str
    said: tuple[str, ...]
    fields: tuple[tuple[str, str, str], ...]
    new: bool


def tabs(counted: Mapping[str, int], verdict: str) -> tuple[Tab, ...]:
    """All lines, then a tab per verdict that occurs."""
    every = Tab("all", _("All lines"), number(sum(counted.values())), verdict not in Verdict.values)
    return every, *(
        Tab(one.value, str(one.label), number(counted[one.value]), verdict == one.value)
        for one in Verdict
        if counted[one.value]
    )


def line(one: Any, *, url: str) -> LineWords:
    """Put a `changes.import_diff.LineDiff` into words."""
    said = [f"{p['column']}: “{p['value']}” {p['message']}".removeprefix(": ") for p in one.problems]
    if one.reason:
        reason = str(SkipReason(one.reason).label)
        said.append(f"{reason} ({one.detail})" if one.detail else reason)
    hidden = _("not shown")
    fields = tuple(
        (f.label, hidden if f.hidden else shown(f.before), hidden if f.hidden else shown(f.after)) for f in one.fields
    )
    pill = Pill(str(Verdict(one.verdict).label), TONES[Verdict(one.verdict)])
    return LineWords(str(one.line), pill, one.key, url, tuple(said), fields, one.verdict == Verdict.NEW)


def shown(text: str | None) -> str:
    """A value, shortened; nothing is a dash."""
    if text is None or text == "":
        return "–"
    return text if len(text) <= 200 else text[:200] + "…"
