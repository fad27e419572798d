"""Deleted and restored rows per day as an SVG of bars. Pure: days in, coordinates out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from django.utils.translation import gettext as _

from console.presenters.words import day as day_words
from console.presenters.words import number

TOP, BOTTOM, LEFT = 14, 26, 44


@dataclass(frozen=True, slots=True)
class Day:
    """One day's sums."""

    date: date
    deleted: int
    restored: int


@dataclass(frozen=True, slots=True)
class Rect:
    """A bar; all numbers as SVG text."""

    x: str
    y: str
    width: str
    height: str
    title: str


@dataclass(frozen=True, slots=True)
class Bar:
    """The bars of one day and the label under them."""

    label: str
    label_x: str
    day: str
    deleted: Rect | None
    restored: Rect | None
    deleted_text: str
    restored_text: str


@dataclass(frozen=True, slots=True)
class Grid:
    y: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Everything the template prints."""

    width: int
    height: int
    base_y: str
    label_y: str
    grid: tuple[Grid, ...]
    bars: tuple[Bar, ...]
    title: str

    @property
    def right(self) -> int:
        return self.width - 4


def chart(days: Sequence[Day], *, width: int = 704, height: int = 196) -> Chart:
    """The chart of the given days, oldest first."""
    most = nice_ceiling(max((max(d.deleted, d.restored) for d in days), default=0))
    floor = height - BOTTOM
    scale = (floor - TOP) / most
    slot = (width - LEFT - 4) / max(1, len(days))
    return Chart(
        width=width,
        height=height,
        base_y=str(floor),
        label_y=str(height - 9),
        grid=tuple(Grid(f"{floor - most * part / 4 * scale:.1f}", short(most * part // 4)) for part in (0, 1, 2, 3, 4)),
        bars=tuple(_bar(one, LEFT + index * slot, slot, floor, scale) for index, one in enumerate(days)),
        title=_title(days),
    )


def _bar(one: Day, left: float, slot: float, floor: float, scale: float) -> Bar:
    thick = slot * 0.34
    words = day_words(datetime.combine(one.date, time()))
    deleted = _("%(day)s: %(rows)s deleted") % {"day": words, "rows": number(one.deleted)}
    restored = _("%(day)s: %(rows)s restored") % {"day": words, "rows": number(one.restored)}
    return Bar(
        label=str(one.date.day),
        label_x=f"{left + slot / 2:.1f}",
        day=words,
        deleted=_rect(left + slot * 0.13, thick, one.deleted, floor, scale, deleted),
        restored=_rect(left + slot * 0.53, thick, one.restored, floor, scale, restored),
        deleted_text=number(one.deleted),
        restored_text=number(one.restored),
    )


def _rect(x: float, width: float, rows: int, floor: float, scale: float, title: str) -> Rect | None:
    if not rows:
        return None
    height = max(1.5, rows * scale)
    return Rect(f"{x:.1f}", f"{floor - height:.1f}", f"{width:.1f}", f"{height:.1f}", title)


def _title(days: Sequence[Day]) -> str:
    deleted = sum(one.deleted for one in days)
    restored = sum(one.restored for one in days)
    return _("%(days)d days: %(deleted)s rows deleted and %(restored)s brought back in all.") % {
        "days": len(days),
        "deleted": number(deleted),
        "restored": number(restored),
    }


def nice_ceiling(most: int) -> int:
    """The smallest of 4, 8, 12, 20, 40, 80, ... that is not below `most`; it divides by four."""
    step = 1
    while True:
        for factor in (4, 8, 12, 20):
            if factor * step >= most:
                return factor * step
        step *= 10


def short(value: int) -> str:
    """An axis label: 20k, 1.5M."""
    for size, sign in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g}{sign}"
    return str(value)
