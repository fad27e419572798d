"""Drift: what has happened to the frozen rows since they were frozen."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from audit import registry
from changes.freezing import parent_join
from changes.models import Change, ChangePart
from changes.operations import effect_of
from changes.plan import PartPlan
from changes.relations import Rule, dependants
from changes.states import Effect, Operation
from changes.tables import table_of


@dataclass(frozen=True, slots=True)
class Drift:
    """Frozen rows that are not as they were. They are left alone when the change runs."""

    changed: int
    gone: int
    sample: tuple[tuple[str, int], ...]

    @property
    def rows(self) -> int:
        return self.changed + self.gone


@dataclass(frozen=True, slots=True)
class NewChildren:
    """Rows added under frozen rows: they are not part of what was approved."""

    entity: str
    rows: int


def measure(change: Change) -> Drift:
    """Compare every frozen row's token with the row's present one."""
    changed = gone = 0
    sample: list[tuple[str, int]] = []
    for part in change.parts.all():
        if not effect_of(change, part).locked:
            continue  # rows that are still to come
        moved, missing, some = _part(change, part)
        changed, gone = changed + moved, gone + missing
        sample += [(part.entity, position) for position in some]
    return Drift(changed, gone, tuple(sample[:20]))


def _part(change: Change, part: ChangePart) -> tuple[int, int, list[int]]:
    table = table_of(registry.entity(part.entity))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FILTER (WHERE o.token IS NOT NULL), count(*) FILTER (WHERE o.token IS NULL), "
            f"(array_agg(r.position ORDER BY r.position))[1:20] FROM changes_frozenrow r "
            f"LEFT JOIN LATERAL (SELECT o.xmin AS token FROM {table.name} o WHERE {table.match()} AND {table.tenant()}) o "
            "ON true WHERE r.tenant_id = %(tenant)s AND r.change_id = %(change)s AND r.part = %(part)s "
            "AND o.token IS DISTINCT FROM r.token",
            {"tenant": change.tenant_id, "change": change.pk, "part": part.part},
        )
        moved, missing, some = cursor.fetchone()
    return moved, missing, list(some or ())


def new_dependants(change: Change) -> list[NewChildren]:
    """Live children of frozen parents that are not frozen themselves, where they ought to go along."""
    if change.operation != Operation.DELETE:
        return []
    also = frozenset(change.options.get("cascade_also", ()))
    parts = {(p.entity, p.effect): p for p in change.parts.all()}
    found = []
    for (label, effect), part in parts.items():
        if effect != Effect.DELETE:
            continue
        model = registry.entity(label)
        plan = PartPlan(number=part.part, entity=model, effect=Effect.DELETE, columns=())
        for dependant in dependants(model, cascade_also=also):
            if dependant.rule is Rule.CLEAR:
                continue
            rows = _unfrozen(change, plan, dependant, parts.get((dependant.child._meta.label_lower, Effect.DELETE)))
            if rows:
                found.append(NewChildren(dependant.child._meta.label_lower, rows))
    return found


def _unfrozen(change: Change, parent: PartPlan, dependant: object, going: ChangePart | None) -> int:
    table = table_of(dependant.child)  # type: ignore[attr-defined]
    keep = "true"
    if going is not None:
        keep = (
            "NOT EXISTS (SELECT FROM changes_frozenrow x WHERE x.tenant_id = %(tenant)s AND x.change_id = %(change)s "
            f"AND x.part = {going.part} AND {table.match('o', 'x')})"
        )
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {table.name} o {parent_join(parent, dependant)} "  # type: ignore[arg-type]
            f"WHERE {table.tenant()} AND NOT o.is_deleted AND {keep}",
            {"tenant": change.tenant_id, "change": change.pk},
        )
        return int(cursor.fetchone()[0])
