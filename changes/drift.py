"""Drift: what has happened to the frozen rows since they were frozen."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from audit import registry
from changes.errors import TooMuchDrift
from changes.freezing import MANY, parent_join
from changes.models import Change, ChangePart
from changes.operations import effect_of
from changes.plan import PartPlan
from changes.relations import Rule, dependants
from changes.reverting import Reverter
from changes.states import Effect, Operation
from changes.tables import Table, table_of

SAMPLE = 20


@dataclass(frozen=True, slots=True)
class Moved:
    """A frozen row that is not as it was; `kind` is changed, gone or recreated, `key` as people write it."""

    entity: str
    position: int
    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Drift:
    """Frozen rows that are not as they were. They are left alone when the change runs."""

    changed: int
    gone: int
    recreated: int
    sample: tuple[Moved, ...]

    @property
    def rows(self) -> int:
        return self.changed + self.gone + self.recreated

    def as_json(self) -> dict[str, Any]:
        """The report as it is kept with the change."""
        return {
            "rows": self.rows,
            "changed": self.changed,
            "gone": self.gone,
            "recreated": self.recreated,
            "sample": [[one.entity, one.key, one.kind] for one in self.sample],
        }


@dataclass(frozen=True, slots=True)
class NewChildren:
    """Rows added under frozen rows: they are not part of what was approved."""

    entity: str
    rows: int


def measure(change: Change, *, ahead: bool = False) -> Drift:
    """Compare every frozen row's token with the row's present one; `ahead`: only of rows still to be worked off."""
    counts: Counter[str] = Counter()
    sample: list[Moved] = []
    for part in change.parts.all():
        if not effect_of(change, part).there:
            continue  # rows that are still to come
        found = _counts(change, part, ahead)
        counts += found
        if found.total():
            sample += [Moved(part.entity, *one) for one in _sample(change, part, ahead)]
    return Drift(counts["changed"], counts["gone"], counts["recreated"], tuple(sample[:SAMPLE]))


def limit(change: Change) -> int:
    """How many frozen rows may have changed before a start: a share, but never less than a few rows."""
    share = change.rows_total * settings.CUSTODY_DRIFT_PERCENT // 100
    return int(max(settings.CUSTODY_DRIFT_ROWS, share))


def over(change: Change, found: Drift) -> bool:
    """Whether more has changed than may, beyond what voters have seen and accepted."""
    return found.rows - change.drift_accepted > limit(change)


def refuse_over(change: Change, found: Drift) -> None:
    """Raises TooMuchDrift, with the report for whoever asks people once more."""
    if over(change, found):
        raise TooMuchDrift(
            change_id=change.pk, rows=found.rows, total=change.rows_total, limit=limit(change), report=found.as_json()
        )


# A frozen row r beside its present row o; %(snapshot)s tells what happened after the freeze.
BESIDE = (
    "FROM changes_frozenrow r LEFT JOIN {table} o ON {match} AND {tenant} "
    "WHERE r.tenant_id = %(tenant)s AND r.change_id = %(change)s AND r.part = %(part)s "
    "AND o.xmin IS DISTINCT FROM r.token{ahead}"
)
AHEAD = (
    " AND EXISTS (SELECT FROM changes_lane l WHERE l.tenant_id = r.tenant_id AND l.change_id = r.change_id "
    "AND l.part = r.part AND r.position > l.cursor AND r.position <= l.hi)"
)


def _beside(table: Table, ahead: bool) -> str:
    return BESIDE.format(table=table.name, match=table.match(), tenant=table.tenant(), ahead=AHEAD if ahead else "")


def _kind(table: Table) -> str:
    return f"CASE WHEN o.xmin IS NULL THEN 'gone' WHEN {table.recreated()} THEN 'recreated' ELSE 'changed' END"


def _values(change: Change, part: ChangePart) -> dict[str, Any]:
    return {"tenant": change.tenant_id, "change": change.pk, "part": part.part, "snapshot": change.snapshot or "1:1:"}


def _counts(change: Change, part: ChangePart, ahead: bool) -> Counter[str]:
    """Rows per kind. Many rows are joined by hash: one probe per row would take minutes of a million."""
    table = table_of(registry.entity(part.entity))
    sql = f"SELECT {_kind(table)}, count(*) {_beside(table, ahead)} GROUP BY 1"
    with transaction.atomic() if part.rows > MANY else nullcontext(), connection.cursor() as cursor:
        if part.rows > MANY:
            cursor.execute("SET LOCAL enable_nestloop = off")
        cursor.execute(sql, _values(change, part))
        found = Counter(dict(cursor.fetchall()))
        if part.rows > MANY:
            cursor.execute("SET LOCAL enable_nestloop = DEFAULT")
    return found


def _sample(change: Change, part: ChangePart, ahead: bool) -> list[tuple[int, str, str]]:
    """Some of them: (position, kind, key)."""
    table = table_of(registry.entity(part.entity))
    key = "coalesce((SELECT string_agg(k, '/') FROM jsonb_array_elements_text(r.key) k), r.position::text)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT r.position, {_kind(table)}, {key} {_beside(table, ahead)} ORDER BY r.position LIMIT {SAMPLE}",
            _values(change, part),
        )
        return list(cursor.fetchall())


def new_dependants(change: Change) -> list[NewChildren]:
    """Live children of frozen parents that are not frozen themselves, where they ought to go along."""
    if change.operation in (Operation.UNDO, Operation.ROLLBACK):
        return [NewChildren(child._meta.label_lower, rows) for child, rows in Reverter(change).new_dependants()]
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
