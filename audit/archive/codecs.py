"""How one PostgreSQL type lies in a file: a codec turns what the server sends into an Arrow column and back.

`raw` is what the server sends for a value: its binary send format, or its text where the column travels as text. A
codec is exact by construction: what it cannot hold (infinity, NaN of a decimal, a year beyond Arrow's range) is left to
a companion column that keeps the raw bytes. Pure but for pyarrow; no Django.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

Raw = bytes | None
DAYS = 10_957  # from 1970-01-01, Arrow's day zero, to 2000-01-01, PostgreSQL's
MICROSECONDS = DAYS * 86_400_000_000
INT32 = range(-(2**31), 2**31)
INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """One way to store a type.

    name      written into the file beside the type
    arrow     type of the column
    decode    raw -> value, or None where the value has to go to the companion; may be exact for every value
    encode    value -> raw
    as_text   the column travels as text, not in send format
    partial   whether `decode` can say None for a value that is there, so that the column has a companion
    """

    name: str
    arrow: pa.DataType
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]
    as_text: bool = False
    partial: bool = False


def _integer(name: str, size: int, arrow: pa.DataType, *, signed: bool = True) -> Codec:
    return Codec(
        name=name,
        arrow=arrow,
        decode=lambda raw: int.from_bytes(raw, "big", signed=signed),
        encode=lambda value: int(value).to_bytes(size, "big", signed=signed),
    )


def _float(name: str, shape: str, arrow: pa.DataType) -> Codec:
    """Only numbers: of a NaN the payload would be at the processor's mercy."""

    def decode(raw: bytes) -> float | None:
        value: float = struct.unpack(shape, raw)[0]
        return value if value == value else None

    return Codec(name=name, arrow=arrow, decode=decode, encode=lambda value: struct.pack(shape, value), partial=True)


def _shifted(name: str, size: int, arrow: pa.DataType, by: int, finite: range) -> Codec:
    """Days or microseconds on Arrow's calendar. The ends of the range are PostgreSQL's infinities."""
    ends = (-(2 ** (8 * size - 1)), 2 ** (8 * size - 1) - 1)

    def decode(raw: bytes) -> int | None:
        value = int.from_bytes(raw, "big", signed=True)
        return None if value in ends or value + by not in finite else value + by

    return Codec(
        name=name,
        arrow=arrow,
        decode=decode,
        encode=lambda value: (value - by).to_bytes(size, "big", signed=True),
        partial=True,
    )


def decimal(precision: int, scale: int) -> Codec:
    """numeric(p, s), every value of which has s digits after the point."""

    def encode(value: Decimal) -> bytes:
        return format(value, "f").encode()

    def decode(raw: bytes) -> Decimal | None:
        try:
            value = Decimal(raw.decode())
        except InvalidOperation:
            return None
        fits = value.is_finite() and value.as_tuple().exponent == -scale and encode(value) == raw
        return value if fits else None

    return Codec(
        name="decimal",
        arrow=pa.decimal128(precision, scale),
        decode=decode,
        encode=encode,
        as_text=True,
        partial=True,
    )


def _same(value: Any) -> Any:
    return value


def _versioned(raw: bytes) -> bytes | None:
    return raw[1:] if raw[:1] == b"\x01" else None


SEND = Codec(name="send", arrow=pa.binary(), decode=_same, encode=_same)
TEXT = Codec(name="text", arrow=pa.string(), decode=_same, encode=_same, as_text=True)
STRING = Codec(name="string", arrow=pa.string(), decode=_same, encode=_same)

# By the name of the type in pg_type; whatever is not here keeps its send format.
EXACT: dict[str, Codec] = {
    "bool": Codec(
        name="boolean",
        arrow=pa.bool_(),
        decode=lambda raw: raw == b"\x01",
        encode=lambda value: b"\x01" if value else b"\x00",
    ),
    "int2": _integer("integer", 2, pa.int16()),
    "int4": _integer("integer", 4, pa.int32()),
    "int8": _integer("integer", 8, pa.int64()),
    "oid": _integer("integer", 4, pa.uint32(), signed=False),
    "float4": _float("float", ">f", pa.float32()),
    "float8": _float("float", ">d", pa.float64()),
    "text": STRING,
    "varchar": STRING,
    "bpchar": STRING,
    "name": STRING,
    "citext": STRING,
    "json": STRING,
    "jsonb": Codec(
        name="json", arrow=pa.string(), decode=_versioned, encode=lambda value: b"\x01" + value, partial=True
    ),
    "bytea": Codec(name="bytes", arrow=pa.binary(), decode=_same, encode=_same),
    "uuid": Codec(name="uuid", arrow=pa.binary(16), decode=_same, encode=_same),
    "date": _shifted("date", 4, pa.date32(), DAYS, INT32),
    "timestamp": _shifted("timestamp", 8, pa.timestamp("us"), MICROSECONDS, INT64),
    "timestamptz": _shifted("timestamp", 8, pa.timestamp("us", tz="UTC"), MICROSECONDS, INT64),
    "time": _shifted("time", 8, pa.time64("us"), 0, range(86_400_000_000)),
    "numeric": TEXT,
    "interval": TEXT,
    "inet": TEXT,
    "cidr": TEXT,
    "macaddr": TEXT,
    "macaddr8": TEXT,
    "bit": TEXT,
    "varbit": TEXT,
}


def to_arrow(codec: Codec, values: Sequence[Raw]) -> tuple[pa.Array, pa.Array | None]:
    """A column, and its companion where the codec has one."""
    decoded = [None if raw is None else codec.decode(raw) for raw in values]
    column = pa.array(decoded, type=_physical(codec.arrow)).cast(codec.arrow)
    if not codec.partial:
        return column, None
    rest = [raw if value is None else None for raw, value in zip(values, decoded, strict=True)]
    return column, pa.array(rest, type=pa.binary())


def to_raw(codec: Codec, column: pa.Array, companion: pa.Array | None) -> list[Raw]:
    """What the server had sent."""
    values = column.cast(_physical(codec.arrow, reading=True)).to_pylist()
    encoded: list[Raw] = [None if value is None else codec.encode(value) for value in values]
    if companion is None:
        return encoded
    rest = companion.to_pylist()
    return [kept if value is None else value for value, kept in zip(encoded, rest, strict=True)]


def _physical(arrow: pa.DataType, *, reading: bool = False) -> pa.DataType:
    """The type whose Python values lose nothing: whole numbers for calendars, bytes for text."""
    if pa.types.is_date32(arrow):
        return pa.int32()
    if pa.types.is_timestamp(arrow) or pa.types.is_time64(arrow):
        return pa.int64()
    return pa.binary() if reading and pa.types.is_string(arrow) else arrow
