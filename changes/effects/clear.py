"""Clear: the row stays, its link to a row that goes is emptied."""

from __future__ import annotations

from typing import Any

from audit.names import literal, quote
from changes.effects.base import FROZEN, EffectKind
from changes.models import Change, ChangePart
from changes.relations import Rule, dependants
from changes.tables import Table, table_of


def chunk_sql(change: Change, table: Table, part: ChangePart, bounds: str) -> str:
    """Each row looks for its own parent among the rows that go."""
    return (
        f"UPDATE {table.name} o SET {_cleared(table, part)} FROM changes_frozenrow r "
        f"WHERE {FROZEN} AND {table.match()} AND {table.tenant()} AND {bounds} AND o.xmin = r.token"
    )


def _cleared(table: Table, part: ChangePart) -> str:
    """Clear each link only where it points to a row that goes."""
    sets = []
    for field in table.model._meta.local_fields:
        if field.column not in part.columns:
            continue
        model: Any = field.related_model
        dependant = next(d for d in dependants(model) if d.field is field and d.rule is Rule.CLEAR)
        parent = table_of(model)
        going = (
            f"EXISTS (SELECT FROM {parent.name} q JOIN changes_frozenrow x ON {parent.match('q', 'x')} "
            f"JOIN changes_changepart c ON c.tenant_id = x.tenant_id AND c.change_id = x.change_id AND c.part = x.part "
            f"WHERE x.tenant_id = %(tenant)s AND x.change_id = %(change)s AND c.effect = 'delete' "
            f"AND c.entity = {literal(parent.model._meta.label_lower)} AND {parent.tenant('q')} "
            f"AND q.{dependant.target_column()} = o.{quote(str(field.column))})"
        )
        sets.append(f"{quote(str(field.column))} = CASE WHEN {going} THEN NULL ELSE o.{quote(str(field.column))} END")
    return ", ".join(sets)


KIND = EffectKind(chunk_sql=chunk_sql)
