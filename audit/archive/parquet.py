"""Parquet files of rows as the server sends them: written and read in batches, so that memory stays bounded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from audit.archive.codecs import Raw, to_arrow, to_raw
from audit.archive.columns import Column, codec_named

Row = tuple[Raw, ...]
BATCH_ROWS = 5_000
BATCH_BYTES = 8 * 1024 * 1024
COMPRESSION = "zstd"
ABOUT = b"custody"


def write(path: Path, columns: Sequence[Column], rows: Iterable[Row], about: Mapping[str, Any]) -> int:
    """Write rows to a new file; return how many. `about` goes into the file's metadata.

    Raises FileExistsError, and OSError when the disk does not take it.
    """
    written = 0
    schema = _schema(columns, about)
    with open(path, "xb") as file, pq.ParquetWriter(file, schema, compression=COMPRESSION) as writer:
        for batch in _batches(rows):
            writer.write_batch(_batch(schema, columns, batch))
            written += len(batch)
    return written


def read(path: Path) -> Iterator[Row]:
    """The rows of a file, each value as the server had sent it."""
    with pq.ParquetFile(path) as file:
        columns = columns_in(file.schema_arrow)
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            yield from zip(*(_raw(column, batch) for column in columns), strict=True)


def about(path: Path) -> dict[str, Any]:
    """What the file says about itself."""
    metadata = pq.read_schema(path).metadata or {}
    said: dict[str, Any] = json.loads(metadata.get(ABOUT, b"{}"))
    return said


def columns_of_file(path: Path) -> tuple[Column, ...]:
    """The table's columns when the file was written."""
    return columns_in(pq.read_schema(path))


def columns_in(schema: pa.Schema) -> tuple[Column, ...]:
    """The table's columns; companions are no columns of it."""
    found = []
    for field in schema:
        said = field.metadata or {}
        if b"pg_type" in said:
            base = said[b"pg_base"].decode()
            codec = codec_named(said[b"pg_codec"].decode(), base, field.type)
            found.append(Column(field.name, said[b"pg_type"].decode(), base, codec))
    return tuple(found)


def _schema(columns: Sequence[Column], about: Mapping[str, Any]) -> pa.Schema:
    fields = []
    for column in columns:
        said = {"pg_type": column.kind, "pg_base": column.base, "pg_codec": column.codec.name}
        fields.append(pa.field(column.name, column.codec.arrow, metadata=said))
        if column.codec.partial:
            fields.append(pa.field(column.companion, pa.binary(), metadata={"pg_raw_of": column.name}))
    return pa.schema(fields, metadata={ABOUT: json.dumps(about, sort_keys=True)})


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """As many rows as make a batch: a few thousand, fewer where they are wide."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += sum(len(value) for value in row if value is not None)
        if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _batch(schema: pa.Schema, columns: Sequence[Column], rows: list[Row]) -> pa.RecordBatch:
    arrays = []
    for column, values in zip(columns, zip(*rows, strict=True), strict=True):
        array, companion = to_arrow(column.codec, values)
        arrays += [array] if companion is None else [array, companion]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _raw(column: Column, batch: pa.RecordBatch) -> list[Raw]:
    companion = batch.column(column.companion) if column.codec.partial else None
    return to_raw(column.codec, batch.column(column.name), companion)
