"""Delete: archive the selected rows and everything that goes along, clear links to them."""

from __future__ import annotations

from typing import Any

from audit.entity import ARCHIVED
from audit.names import literal, quote
from changes.freezing import Freezer, delete_columns
from changes.models import Change, ChangePart
from changes.operations.base import OperationKind
from changes.plan import Plan
from changes.relations import Rule, dependants
from changes.selection import Selection
from changes.states import Effect
from changes.tables import Table, table_of


def freeze(change: Change, selection: Selection | None, cascade_also: frozenset[str]) -> Plan:
    """Freeze the selection and its closure."""
    assert selection is not None
    freezer = Freezer(tenant_id=change.tenant_id, change_id=change.pk)
    part = freezer.add_part(selection.entity, Effect.DELETE, delete_columns(selection.entity))
    freezer.freeze_selection(KIND.rows(selection), part)
    protected = freezer.follow(cascade_also=cascade_also)
    return Plan(parts=freezer.parts, protected=protected)


def chunk_sql(table: Table, part: ChangePart, bounds: str) -> str:
    """The UPDATE of one chunk. The token is a condition: a row that moved is left alone."""
    sets = _cleared(table, part) if part.effect == Effect.CLEAR else _archived(table)
    return (
        f"UPDATE {table.name} o SET {sets} FROM changes_frozenrow r "
        "WHERE r.tenant_id = %(tenant)s AND r.change_id = %(change)s AND r.part = %(part)s "
        f"AND r.position > %(lo)s AND r.position <= %(hi)s AND {table.match()} AND {table.tenant()} "
        f"AND {bounds} AND o.xmin = r.token"
    )


def by_range(part: ChangePart) -> bool:
    """Where links are cleared each row looks for its own parent."""
    return part.effect != Effect.CLEAR


def _archived(table: Table) -> str:
    governance = table.model.governance
    sets = ["is_deleted = true", "deleted_at = now()", f"retention_policy = {literal(governance.retention)}"]
    if governance.status:
        sets.append(f"status = {literal(ARCHIVED)}")
    return ", ".join(sets)


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


KIND = OperationKind(freeze=freeze, chunk_sql=chunk_sql, deepest_first=True, by_range=by_range)
