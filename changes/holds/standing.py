"""What is on hold, as the engine asks: nothing to pay while no hold stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import connection
from django.db.models import Q

from audit.names import literal
from changes.holds.models import Hold
from changes.models import Change

# Rows that come are nowhere yet, so no hold can be on them.
COMING = frozenset({"add", "create"})


def active(tenant_id: int, entities: Iterable[str]) -> list[Hold]:
    """Holds that stand on any row of these tables."""
    rows = Hold.objects.filter(tenant_id=tenant_id, lifted_at__isnull=True)
    return list(rows.filter(Q(scope=Hold.Scope.TENANT) | Q(entity__in=list(entities))).order_by("pk"))


def condition(tenant_id: int, entity: str) -> str:
    """The frozen row r is on hold, as SQL; "" where nothing of the table is."""
    if not active(tenant_id, [entity]):
        return ""
    return f"custody.is_held(r.tenant_id, {literal(entity)}, r.position, r.key)"


def held_rows(change: Change, part: int, entity: str, *, most: int | None = None) -> list[tuple[int, str]]:
    """(position, key) of frozen rows of one part that are on hold."""
    held = condition(change.tenant_id, entity)
    if not held:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.position, coalesce((SELECT string_agg(k, '/') FROM jsonb_array_elements_text(r.key) k), "
            f"r.position::text) FROM changes_frozenrow r WHERE r.tenant_id = %s AND r.change_id = %s AND r.part = %s "
            f"AND {held} ORDER BY r.position LIMIT %s",
            [change.tenant_id, change.pk, part, most],
        )
        return list(cursor.fetchall())


def count(change: Change, part: int, entity: str) -> int:
    """How many frozen rows of one part are on hold."""
    held = condition(change.tenant_id, entity)
    if not held:
        return 0
    values: list[Any] = [change.tenant_id, change.pk, part]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM changes_frozenrow r WHERE r.tenant_id = %s AND r.change_id = %s AND r.part = %s "
            f"AND {held}",
            values,
        )
        return int(cursor.fetchone()[0])
