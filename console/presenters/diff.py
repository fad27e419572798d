"""The difference between two versions of a record, field by field. Pure: plain values in, marked words out.

Empty (NULL), blank ("") and text are told apart. Numbers and times compare by value, JSON by key. Nothing
here is HTML; templates escape everything, because a record holds hostile input.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext as _

from console.presenters.words import LONG_TEXT, exact

_WORDS = re.compile(r"\s+|[^\s]+")
# Marking words costs the square of their number.
MARK_LIMIT = 4_000


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of text, marked when the other side does not have it."""

    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """One side of a field: text in segments, or a word such as “empty” that is no value."""

    segments: tuple[Segment, ...] = ()
    word: str = ""
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a JSON value that differs."""

    path: str
    before: Value
    after: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDiff:
    """One field that differs."""

    name: str
    label: str
    what: str
    before: Value
    after: Value
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSame:
    """One field that does not differ."""

    name: str
    label: str
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDiff:
    """A record's changed fields first, the others folded."""

    changed: tuple[FieldDiff, ...]
    same: tuple[FieldSame, ...]


MISSING: Any = object()


def record_diff(labels: Mapping[str, str], before: Mapping[str, Any], after: Mapping[str, Any]) -> RecordDiff:
    """Compare two versions; an absent version is an empty mapping."""
    changed, same = [], []
    for name, label in labels.items():
        old, new = before.get(name, MISSING), after.get(name, MISSING)
        if _equal(old, new) or (old is MISSING and new is None):
            same.append(FieldSame(name=name, label=label, value=value(new)))
        else:
            changed.append(field_diff(name, label, old, new))
    return RecordDiff(changed=tuple(changed), same=tuple(same))


def field_diff(name: str, label: str, old: Any, new: Any) -> FieldDiff:
    """One field's difference; two JSON objects or lists are compared by key."""
    entries: tuple[Entry, ...] = ()
    if isinstance(old, (dict, list)) and isinstance(new, (dict, list)):
        entries = tuple(_entries(old, new))
    left, right = _pair(old, new)
    return FieldDiff(name=name, label=label, what=_what(old, new), before=left, after=right, entries=entries)


def value(one: Any) -> Value:
    """A value alone, unmarked."""
    word = _word(one)
    return Value(word=word) if word else _capped((Segment(_text(one)),))


def _equal(old: Any, new: Any) -> bool:
    if old is MISSING or new is MISSING:
        return old is new
    return (type(old) is type(new) and bool(old == new)) or (_numeric(old) and _numeric(new) and bool(old == new))


def _numeric(one: Any) -> bool:
    return hasattr(one, "__int__") and not isinstance(one, (str, bool))


def _what(old: Any, new: Any) -> str:
    if old in (None, MISSING):
        return _("filled")
    if new in (None, MISSING):
        return _("cleared")
    return _("changed")


def _word(one: Any) -> str:
    """What is shown for something that is no text."""
    if one is MISSING:
        return _("not there")
    if one is None:
        return _("empty")
    if isinstance(one, str) and one == "":
        return _("blank")
    if isinstance(one, str) and not one.strip():
        return _("only spaces")
    return ""


def _text(one: Any) -> str:
    if isinstance(one, bool):
        return _("yes") if one else _("no")
    if isinstance(one, datetime):
        return exact(one)
    if isinstance(one, date):
        return one.isoformat()
    if isinstance(one, (dict, list)):
        return json.dumps(one, ensure_ascii=False, sort_keys=True, indent=2, default=str)
    return str(one)


def _pair(old: Any, new: Any) -> tuple[Value, Value]:
    """Both sides, with the words that differ marked when both are longer texts."""
    if _word(old) or _word(new) or not _is_prose(old, new):
        return value(old), value(new)
    left, right = _WORDS.findall(_text(old)), _WORDS.findall(_text(new))
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    before: list[Segment] = []
    after: list[Segment] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        _append(before, "".join(left[i1:i2]), tag != "equal")
        _append(after, "".join(right[j1:j2]), tag != "equal")
    return _capped(tuple(before)), _capped(tuple(after))


def _is_prose(old: Any, new: Any) -> bool:
    both = isinstance(old, str) and isinstance(new, str)
    return both and len(old) < MARK_LIMIT and len(new) < MARK_LIMIT and " " in old.strip() and " " in new.strip()


def _append(segments: list[Segment], text: str, marked: bool) -> None:
    if text:
        segments.append(Segment(text, marked))


def _capped(segments: tuple[Segment, ...]) -> Value:
    """The first 2,000 characters; the rest opens on demand."""
    shown: list[Segment] = []
    room = LONG_TEXT
    for index, segment in enumerate(segments):
        if len(segment.text) > room:
            shown.append(Segment(segment.text[:room], segment.marked))
            rest = segment.text[room:] + "".join(later.text for later in segments[index + 1 :])
            return Value(tuple(shown), rest=rest)
        shown.append(segment)
        room -= len(segment.text)
    return Value(tuple(shown))


def _entries(old: Any, new: Any, path: str = "") -> Iterable[Entry]:
    """Keys whose values differ, deepest first place named as a.b[2]."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}, key=str):
            yield from _entry(old.get(key, MISSING), new.get(key, MISSING), f"{path}.{key}" if path else str(key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            left = old[index] if index < len(old) else MISSING
            right = new[index] if index < len(new) else MISSING
            yield from _entry(left, right, f"{path}[{index}]")
    else:
        yield from _entry(old, new, path)


def _entry(old: Any, new: Any, path: str) -> Iterable[Entry]:
    if _equal(old, new):
        return
    if isinstance(old, (dict, list)) and type(old) is type(new):
        yield from _entries(old, new, path)
        return
    left, right = _pair(old, new)
    yield Entry(path, left, right)
