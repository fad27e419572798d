"""Before a change removes rows, its frozen rows go to cold storage: a lane of its own per part, ahead of every other.

A step of such a lane is one transaction too: file written, read back, compared, put in place, recorded, cursor moved. A
crash leaves at most a file under a temporary name, or a whole one that nobody has recorded and that is written anew.
"""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import Max, Min
from django.db.models.functions import Now

from audit import registry
from audit.archive import files, storing
from audit.archive.storing import Source, Stored
from audit.models import ArchiveFile
from changes.models import Change, ChangePart, FrozenRow, Lane
from changes.tables import table_of
from foundation import context

# Ahead of the first step that touches a row.
STEP = -1


def open_lane(change: Change, part: ChangePart) -> None:
    """One lane: the files of a part follow one another without a gap."""
    ends = FrozenRow.objects.filter(tenant_id=change.tenant_id, change_id=change.pk, part=part.part).aggregate(
        first=Min("position"), last=Max("position")
    )
    Lane.objects.create(
        tenant_id=change.tenant_id,
        change=change,
        part=part.part,
        kind=Lane.Kind.ARCHIVE,
        step=STEP,
        lo=ends["first"] - 1,
        hi=ends["last"],
        cursor=ends["first"] - 1,
        rows=part.rows,
    )


def advance(change: Change, lane: Lane, hi: int) -> None:
    """Archive the frozen rows up to position `hi`. Raises ArchiveFull, ArchiveDiffers."""
    part = change.parts.get(part=lane.part)
    source = _source(change, part, lane.cursor, hi)
    number = ArchiveFile.objects.filter(change_id=change.pk, part=part.part).count()
    path = files.relative_path(
        tenant=change.tenant_id, entity=part.entity, change=change.pk, part=part.part, number=number
    )
    about = {"tenant": change.tenant_id, "change": change.pk, "part": part.part, "entity": part.entity}
    about |= {"table": source.table, "lo": lane.cursor, "hi": hi, "reason": change.reason}
    _record(change, part, lane.cursor, hi, storing.store(source, path, about=about))
    Lane.objects.filter(pk=lane.pk).update(cursor=hi, attempts=0, error="", limit=0, heartbeat_at=Now())


def _source(change: Change, part: ChangePart, lo: int, hi: int) -> Source:
    """Frozen rows that are still as they were frozen, in key order; the others are left alone anyway."""
    table = table_of(registry.entity(part.entity))
    values: dict[str, Any] = {"tenant": change.tenant_id, "change": change.pk, "part": part.part, "lo": lo, "hi": hi}
    clause = (
        f"FROM {table.name} o JOIN changes_frozenrow r ON {table.match()} WHERE r.tenant_id = %(tenant)s "
        f"AND r.change_id = %(change)s AND r.part = %(part)s AND r.position > %(lo)s AND r.position <= %(hi)s "
        f"AND {table.tenant()} AND o.is_deleted AND o.xmin = r.token ORDER BY r.position"
    )
    return Source(entity=part.entity, table=table.name, clause=clause, values=values)


def _record(change: Change, part: ChangePart, lo: int, hi: int, stored: Stored) -> None:
    """The database counts the rows once more and keeps word of the file."""
    with context.inside(change_id=change.pk, reason=change.reason), connection.cursor() as cursor:
        cursor.execute(
            "SELECT custody.record_archive(%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [change.pk, part.part, lo, hi, stored.rows, stored.bytes, stored.sha256, stored.schema, stored.path],
        )
