"""Reading a CSV file line by line, never whole: UTF-8 with or without a byte order mark; comma, semicolon or tab.

Pure. What looks like a formula is text like any other.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO

from changes.errors import BrokenCsv, EmptyFile, FileTooLarge, NotUtf8

SEPARATORS = (",", ";", "\t")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# One physical line; a longer one is no CSV, or an attack.
LINE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Csv:
    """An opened file: its separator, the names of its header, and the lines below it, read once."""

    separator: str
    header: tuple[str, ...]
    lines: Iterator[tuple[int, list[str]]]


def open_csv(stream: BinaryIO, *, known: Callable[[str], bool], limit: int) -> Csv:
    """Read the header. The separator is the one that gives most known names, then most columns.

    `limit` is in bytes. Raises EmptyFile, NotUtf8, BrokenCsv; the lines raise them too, and FileTooLarge.
    """
    texts = _texts(stream, limit)
    first = next((text for text in texts if text.strip()), None)
    if first is None:
        raise EmptyFile(field="file")
    separator = max(SEPARATORS, key=lambda one: _score(first, one, known))
    reader = csv.reader(chain([first], texts), delimiter=separator, strict=True)
    lines = _lines(reader)
    _, header = next(lines)
    return Csv(separator, tuple(name.strip() for name in header), lines)


def _score(line: str, separator: str, known: Callable[[str], bool]) -> tuple[int, int]:
    try:
        names = next(csv.reader([line], delimiter=separator))
    except csv.Error:
        return (0, 0)
    return (sum(known(name.strip()) for name in names), len(names))


def _texts(stream: BinaryIO, limit: int) -> Iterator[str]:
    """Physical lines, decoded."""
    number, size = 0, 0
    while raw := stream.readline(LINE_BYTES + 1):
        number, size = number + 1, size + len(raw)
        if size > limit:
            raise FileTooLarge(field="file", limit=f"{limit:,}")
        if len(raw) > LINE_BYTES:
            raise BrokenCsv(field="file", line=number, problem=f"> {LINE_BYTES:,} bytes")
        if number == 1:
            raw = raw.removeprefix(BYTE_ORDER_MARK)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise NotUtf8(field="file", line=number) from error
        if "\x00" in text:
            raise BrokenCsv(field="file", line=number, problem="NUL")
        yield text


def _lines(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Records with the number of the physical line each begins in; blank ones are stepped over."""
    while True:
        begins = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise BrokenCsv(field="file", line=begins, problem=str(error)) from error
        if any(cells):
            yield begins, cells
