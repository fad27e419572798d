"""Whether an archive file is still what the database says it is."""

from __future__ import annotations

import json
from enum import StrEnum

import pyarrow.parquet as pq
from django.db import connection
from pyarrow import ArrowException

from audit.archive import files, parquet
from audit.archive.columns import fingerprint
from audit.errors import ArchiveMissing
from audit.models import ArchiveFile


class Health(StrEnum):
    """What an examination found."""

    SOUND = "sound"
    MISSING = "missing"
    CHANGED = "changed"
    UNREADABLE = "unreadable"


def get(archive_id: int) -> ArchiveFile:
    """A file of the current tenant. Raises ArchiveMissing."""
    found = ArchiveFile.objects.filter(pk=archive_id).first()
    if found is None:
        raise ArchiveMissing(archive_id=archive_id)
    return found


def examine(archive: ArchiveFile) -> Health:
    """Compare the file with its record: bytes first, then what a reader of Parquet finds in it."""
    path = files.place(archive.path)
    if not path.is_file():
        return Health.MISSING
    if path.stat().st_size != archive.bytes or files.sha256(path) != archive.sha256:
        return Health.CHANGED
    try:
        rows = pq.read_metadata(path).num_rows
        schema = fingerprint(parquet.columns_of_file(path))
    except (ArrowException, KeyError):
        return Health.UNREADABLE
    return Health.SOUND if (rows, schema) == (archive.rows, archive.schema_fingerprint) else Health.UNREADABLE


def examine_and_note(archive: ArchiveFile) -> Health:
    """`examine`, and an event that says who looked and what was found."""
    found = examine(archive)
    facts = json.dumps({"file": archive.path, "found": found, "sha256": archive.sha256})
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT custody.append_event('archive.examined', %s, 'audit_archivefile', %s, %s::jsonb)",
            [archive.entity, archive.rows, facts],
        )
    return found
