"""A few rows of a selection for people to look at. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.presenters import diff, words


@dataclass(frozen=True, slots=True)
class Cell:
    """A value, or a word for something that is none."""

    label: str
    text: str
    word: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    key: str
    url: str | None
    moved: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def sample(columns: Sequence[str], rows: Iterable[tuple[str, str | None, bool, Sequence[Any]]]) -> Sample:
    """Rows as (key, url, moved, values)."""
    return Sample(tuple(columns), tuple(_row(columns, *row) for row in rows))


def _row(columns: Sequence[str], key: str, url: str | None, moved: bool, values: Sequence[Any]) -> Row:
    cells = tuple(cell(label, one) for label, one in zip(columns, values, strict=True))
    return Row(key, url, moved, cells)


def cell(label: str, one: Any) -> Cell:
    """One value as short text."""
    if isinstance(one, datetime):
        return Cell(label, words.moment(one))
    shown = diff.value(one)
    text = "".join(segment.text for segment in shown.segments)
    return Cell(label, text if len(text) <= 160 else text[:159] + "…", shown.word)
