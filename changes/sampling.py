"""A few frozen rows to look at: at random with a stable seed, so that a reload shows the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from audit import registry
from audit.names import quote
from changes.models import Change, ChangePart
from changes.tables import table_of


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A frozen row as it is now, None where it is gone, and whether it moved since the freeze."""

    position: int
    key: Any
    row: Any
    moved: bool


def sample(change: Change, part: ChangePart, *, seed: int = 0, size: int = 5) -> list[SampleRow]:
    """Up to `size` rows of one part."""
    model: Any = registry.entity(part.entity)
    table = table_of(model)
    keys = ", ".join(f"o.{quote(column)}" for column, _ in table.key)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT r.position, r.key, o.xmin IS DISTINCT FROM r.token, {keys} FROM (SELECT * FROM changes_frozenrow "
            "WHERE tenant_id = %(tenant)s AND change_id = %(change)s AND part = %(part)s "
            "ORDER BY hashint8extended(position, %(seed)s) LIMIT %(size)s) r "
            f"LEFT JOIN {table.name} o ON {table.match()} AND {table.tenant()} ORDER BY r.position",
            {"tenant": change.tenant_id, "change": change.pk, "part": part.part, "seed": seed, "size": size},
        )
        found = cursor.fetchall()
    single = len(table.key) == 1
    wanted = [row[3] if single else tuple(row[3:]) for row in found if row[3] is not None]
    rows = {row.pk: row for row in model.objects_and_deleted.filter(pk__in=wanted)} if wanted else {}
    return [SampleRow(row[0], row[1], rows.get(row[3] if single else tuple(row[3:])), bool(row[2])) for row in found]
