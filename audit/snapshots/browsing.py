"""The rows of an entity as they were: historical rows, found page by page along the key's index."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from audit import registry
from audit.entity import SoftDeleted
from audit.snapshots import sql
from audit.snapshots.recorded import recorded
from audit.snapshots.state import State, require_recorded


def rows_at(model: type[SoftDeleted], state: State, *, tenant_id: int | None, deleted: bool = False) -> Any:
    """Queryset of the historical rows that were the live rows (or the recycle bin) in that state, in key order.

    Fields have the model's names, so conditions on them can be added. Raises BeforeRecording, BaselineOpen.
    """
    require_recorded(model, state, whole=True)
    table = recorded(model)
    history: Any = registry.history_of(model)
    mine = table.history
    later = (
        f"NOT EXISTS (SELECT FROM {table.history} n WHERE {table.same_key('n', mine)} "
        f"AND n.history_id > {mine}.history_id AND {table.of_tenant('n', tenant_id)} AND {sql.visible(state, 'n')})"
    )
    where = [part.replace("%", "%%") for part in (table.of_tenant(mine, tenant_id), sql.visible(state, mine), later)]
    rows = history.objects.extra(where=where).exclude(history_type="-").filter(is_deleted=deleted)
    return rows.order_by(*(field.attname for field in model._meta.pk_fields))


def after(model: type[SoftDeleted], key: tuple[Any, ...]) -> Q:
    """Condition: rows behind this key, in key order."""
    found, equal = Q(), Q()
    for field, value in zip(model._meta.pk_fields, key, strict=True):
        found |= equal & Q(**{f"{field.attname}__gt": value})
        equal &= Q(**{field.attname: value})
    return found
