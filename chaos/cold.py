"""Cold storage, read without the product: every recorded file is there, unaltered, and holds what was removed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg
from pyarrow import parquet

from chaos.checker import TABLES

FILES = "SELECT path, sha256, rows, change_id, entity, lo, hi FROM audit_archivefile"
REMOVED = "SELECT id FROM {history} WHERE change_id = %s AND history_type = '-' AND id > %s AND id <= %s"
HISTORY = {table.entity: table.history for table in TABLES}


def violations(conninfo: str, place: Path) -> list[str]:
    """Files that are gone, altered, of another length, or without a row that their change removed."""
    found = []
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for path, digest, rows, change, entity, lo, hi in connection.execute(FILES).fetchall():
            file = place / path
            if not file.is_file():
                found.append(f"I2 {path} is recorded and not there")
                continue
            if hashlib.sha256(file.read_bytes()).hexdigest() != digest:
                found.append(f"I2 {path} is not what was recorded")
                continue
            kept = parquet.read_table(file, columns=["id"])["id"].to_pylist()
            removed = connection.execute(REMOVED.format(history=HISTORY[entity]), [change, lo, hi]).fetchall()  # type: ignore[call-overload]
            lost = {one for (one,) in removed} - {int(one) for one in kept}
            if len(kept) != rows or lost:
                found.append(f"I2 {path} has {len(kept)} rows of {rows} and lacks {len(lost)} that were removed")
    return found
