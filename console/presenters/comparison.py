"""A comparison in words: the two sides, totals that filter, and the rows field by field. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from console.presenters.diff import FieldDiff, Value, field_diff
from console.presenters.states import Pill
from console.presenters.words import exact, number, span


@dataclass(frozen=True, slots=True)
class Filter:
    """A total that narrows the list."""

    text: str
    count: str
    url: str
    current: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One row that differs."""

    key: str
    url: str | None
    pill: Pill
    fields: tuple[FieldDiff, ...]


def side(name: str, at: datetime | None) -> str:
    """What one side stands for: a snapshot's name and its time, a moment, or now."""
    if at is None:
        return _("now")
    return _("%(name)s (%(when)s)") % {"name": name, "when": exact(at)} if name else exact(at)


def apart(a: datetime | None, b: datetime | None, *, now: datetime) -> str:
    """How far the two states lie apart, as a sentence."""
    return _("%(span)s apart") % {"span": span(abs((a or now) - (b or now)))}


def classes(totals: Any, query: Mapping[str, str]) -> tuple[Filter, ...]:
    """All differences and each class, as tabs."""
    words = (
        ("", _("All differences"), totals.rows),
        ("only_a", _("Only in A"), totals.only_a),
        ("only_b", _("Only in B"), totals.only_b),
        ("changed", _("Changed"), totals.changed),
    )
    chosen = "" if query.get("changed") else query.get("kind", "")
    return tuple(
        Filter(text, number(count), _url(query, kind=kind, changed=""), kind == chosen and not query.get("changed"))
        for kind, text, count in words
    )


def fields(totals: Any, labels: Mapping[str, str], query: Mapping[str, str]) -> tuple[Filter, ...]:
    """The fields that differ in changed rows, the most frequent first."""
    counted = sorted(totals.fields.items(), key=lambda pair: (-pair[1], pair[0]))
    chosen = query.get("changed", "")
    return tuple(
        Filter(
            labels.get(name, name),
            number(count),
            _url(query, kind="", changed="" if name == chosen else name),
            name == chosen,
        )
        for name, count in counted
    )


def row(key: str, url: str | None, kind: str, values: Sequence[tuple[str, str, Any, Any, bool]]) -> Row:
    """`values`: name, label, value in A, value in B, and whether this person may see them."""
    pills = {
        "only_a": Pill(_("only in A"), "bad", "x"),
        "only_b": Pill(_("only in B"), "ok", "plus"),
        "changed": Pill(_("changed"), "acc", "pencil"),
    }
    shown = tuple(
        field_diff(name, label, a, b) if visible else _hidden(name, label) for name, label, a, b, visible in values
    )
    return Row(key, url, pills[kind], shown)


def _hidden(name: str, label: str) -> FieldDiff:
    unseen = Value(word=_("not shown to you"))
    return FieldDiff(name=name, label=label, what=_("changed"), before=unseen, after=unseen)


def _url(query: Mapping[str, str], **changes: str) -> str:
    """The address with some parameters changed; back at the first page."""
    kept = {name: value for name, value in {**query, **changes}.items() if value and name != "after"}
    return f"?{urlencode(kept)}"


def page_url(query: Mapping[str, str], after: str) -> str:
    """The address of a page."""
    return _url(query) + (f"&{urlencode({'after': after})}" if after else "")


def swapped_url(query: Mapping[str, str], a: str, b: str) -> str:
    """A and B change places; a filter for one side follows it."""
    turned = {"only_a": "only_b", "only_b": "only_a"}
    kind = query.get("kind", "")
    return _url({**query, "a_at": "", "b_at": ""}, a=b, b=a, kind=turned.get(kind, kind))
