"""The columns of a table as they go into a file: PostgreSQL's type, and the codec that holds it exactly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from audit.archive.codecs import EXACT, SEND, STRING, TEXT, Codec, decimal
from audit.names import quote

# Types an installation makes itself have other numbers elsewhere, and the send formats of arrays and composites name them.
FIRST_OWN_OID = 16_384
COLUMNS = """
WITH RECURSIVE base AS (
  SELECT a.attnum, a.attname, format_type(a.atttypid, a.atttypmod) AS said, a.atttypid AS oid, a.atttypmod AS typmod
    FROM pg_attribute a WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT b.attnum, b.attname, b.said, t.typbasetype, t.typtypmod
    FROM base b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd'
)
SELECT b.attname, b.said, t.typname, b.typmod, t.typtype, t.typsend <> 0, coalesce(e.oid, 0), coalesce(e.typsend <> 0, true)
  FROM base b JOIN pg_type t ON t.oid = b.oid LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
 WHERE t.typtype <> 'd' ORDER BY b.attnum
"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table, as the file holds it."""

    name: str
    kind: str
    base: str
    codec: Codec

    @property
    def companion(self) -> str:
        """Where the raw bytes of a value are kept that the column's own type cannot hold."""
        return f"{self.name}#raw"

    def expression(self, alias: str) -> str:
        """The column as it is read from row `alias`."""
        return f"{alias}.{quote(self.name)}{'::text' if self.codec.as_text else ''}"


def columns_of(table: str) -> tuple[Column, ...]:
    """All columns of the (quoted) table, in its order."""
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS, [table])
        return tuple(Column(row[0], row[1], row[2], _codec(*row[2:])) for row in cursor.fetchall())


def fingerprint(columns: Sequence[Column]) -> str:
    """Hex digest over names, types and codecs: files with the same one can be read alike."""
    listed = [[column.name, column.kind, column.codec.name] for column in columns]
    return hashlib.sha256(json.dumps(listed, ensure_ascii=False).encode()).hexdigest()


def codec_named(name: str, base: str, arrow: Any) -> Codec:
    """The codec a file names for a column of the type `base`. Raises KeyError for one this version does not know."""
    if name == "decimal":
        return decimal(arrow.precision, arrow.scale)
    known = {codec.name: codec for codec in (SEND, TEXT, STRING)}
    return known.get(name) or EXACT[base]


def _codec(name: str, typmod: int, category: str, sends: bool, element: int, element_sends: bool) -> Codec:
    if category == "e":
        return STRING
    if not sends or not element_sends or category == "c" or element >= FIRST_OWN_OID:
        return TEXT
    if name == "numeric" and typmod >= 4:
        precision, scale = (typmod - 4) >> 16 & 0xFFFF, (typmod - 4) & 0x7FF
        return decimal(precision, scale) if scale <= precision <= 38 else TEXT
    return EXACT.get(name, SEND)
