"""Rows from the database into a file: written, read back, compared value by value, and only then given its name."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from django.db import connection
from pyarrow import ArrowException

from audit.archive import files, parquet
from audit.archive.columns import Column, columns_of, fingerprint
from audit.archive.parquet import Row
from audit.errors import ArchiveDiffers, ArchiveFull

# Text that reads the same whatever the login's own taste is.
PLAIN = (
    "SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL timezone = 'UTC'; "
    "SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Which rows: FROM and WHERE over row `o` of the (quoted) table, in a fixed order, with its parameters."""

    entity: str
    table: str
    clause: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """A verified file. `path` is relative to the archive, `schema` the fingerprint of the columns."""

    path: str
    rows: int
    bytes: int
    sha256: str
    schema: str


def store(source: Source, path: str, *, about: Mapping[str, Any]) -> Stored:
    """Write the rows of `source` to the archive as `path`, replacing what is there; the caller holds a transaction.

    Raises ArchiveFull when the disk does not take it, ArchiveDiffers when rows moved meanwhile or the file lies. Either
    way no file of that name is there that was not before.
    """
    columns = columns_of(source.table)
    temporary: Path | None = None
    try:
        temporary = files.begin(path)
        with closing(rows_of(source, columns)) as there:
            rows = parquet.write(temporary, columns, there, about)
        files.settle(temporary)
        compare(source, columns, temporary)
        size, digest = temporary.stat().st_size, files.sha256(temporary)
        files.put(temporary, path)
    except (OSError, ArrowException) as error:
        cause = getattr(error, "strerror", None) or str(error).splitlines()[0][:200]
        raise ArchiveFull(cause=cause, place=str(files.place_of_all())) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return Stored(path, rows, size, digest, fingerprint(columns))


def rows_of(source: Source, columns: Sequence[Column]) -> Generator[Row, None, None]:
    """The rows as the server sends them, streamed. To be closed: a stream left open holds the connection."""
    listed = ", ".join(column.expression("o") for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(PLAIN)
        statement = f"COPY (SELECT {listed} {source.clause}) TO STDOUT (FORMAT BINARY)"
        # The driver's cursor: Django's, where CUSTODY_DEBUG is on, takes no values for COPY.
        with cursor.cursor.copy(statement, source.values) as copy:
            yield from copy.rows()


def compare(source: Source, columns: Sequence[Column], path: Path) -> None:
    """Raise ArchiveDiffers at the first value in which the file is not the database."""
    with closing(rows_of(source, columns)) as rows:
        for number, (there, here) in enumerate(zip_longest(rows, parquet.read(path)), start=1):
            if there != here:
                raise ArchiveDiffers(entity=source.entity, row=number, column=_differing(columns, there, here))


def _differing(columns: Sequence[Column], there: Row | None, here: Row | None) -> str:
    if there is None or here is None:
        return "*"
    return next(c.name for c, a, b in zip(columns, there, here, strict=True) if a != b)
