"""Planning: freeze a change's rows in one consistent transaction, or preview that and take it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connection, transaction

from audit.entity import SoftDeleted
from changes import retrying
from changes.digests import change_digest, schema_fingerprint
from changes.errors import EmptySelection
from changes.models import Change, ChangePart
from changes.operations import REGISTRY
from changes.plan import KeyReport, Plan
from changes.preflight import Finding, inspect
from changes.selection import Selection
from changes.states import State
from changes.tables import table_of
from foundation.actor import Actor
from foundation.postgres.transactions import consistent


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change would do, counted for real; nothing was kept."""

    plan: Plan
    findings: tuple[Finding, ...]

    @property
    def blocked(self) -> bool:
        return any(finding.level == "block" for finding in self.findings)


class _TakeBack(Exception):
    """Ends the preview's transaction without a commit."""


def preview(
    actor: Actor,
    *,
    entity: type[SoftDeleted],
    operation: str,
    selection: Selection | None,
    cascade_also: frozenset[str] = frozenset(),
    undo_of: Change | None = None,
    options: Mapping[str, Any] | None = None,
    then: Callable[[Change, Plan], None] | None = None,
) -> Preview:
    """Freeze, look, and roll back. An empty selection gives a plan without rows.

    `then` looks further while the rows are frozen.
    """
    found: list[Preview] = []
    change = Change(
        tenant_id=actor.tenant,
        operation=operation,
        entity=entity._meta.label_lower,
        state=State.DRAFT,
        requester_name=actor.name,
        undo_of=undo_of,
        options=REGISTRY[operation].read_options(entity, options or {}),
    )
    try:
        with consistent():
            change.save()
            plan = freeze_rows(change, selection, cascade_also)
            found.append(Preview(plan, tuple(inspect(change, plan, actor))))
            if then is not None:
                then(change, plan)
            raise _TakeBack
    except _TakeBack:
        return found[0]


def freeze_rows(change: Change, selection: Selection | None, cascade_also: frozenset[str]) -> Plan:
    """Freeze the rows of a saved change; the caller holds the consistent transaction."""
    kind = REGISTRY[change.operation]
    plan = retrying.freeze(change) if change.retry_of_id else kind.freeze(change, selection, cascade_also)
    if selection is not None:
        plan.keys = _key_report(change.operation, selection, plan)
        plan.table_rows = _table_rows(selection) if selection.keys is None else 0
    plan.approvals_least = max(plan.approvals_least, kind.approvals)
    plan.schema_fingerprint = schema_fingerprint([table_of(part.entity).name for part in plan.parts])
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        plan.snapshot = cursor.fetchone()[0]
    return plan


def store_plan(change: Change, plan: Plan, findings: list[Finding]) -> None:
    """Write parts, counts and digest; the change becomes frozen. Raises EmptySelection without rows."""
    if plan.rows_total == 0:
        raise plan.empty or EmptySelection(field="selection")
    _store_parts(change, plan)
    change.snapshot = plan.snapshot
    change.schema_fingerprint = plan.schema_fingerprint
    change.rows_selected = plan.rows_selected
    change.rows_total = plan.rows_total
    change.approvals_least = plan.approvals_least
    change.preflight = [finding.as_json() for finding in findings]
    change.digest = change_digest(change, plan.parts, plan.schema_fingerprint)
    change.state = State.FROZEN
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        change.frozen_at = cursor.fetchone()[0]
    change.save()


def _store_parts(change: Change, plan: Plan) -> None:
    deepest_first = REGISTRY[change.operation].deepest_first
    deepest = max(part.depth for part in plan.parts)
    ChangePart.objects.bulk_create(
        ChangePart(
            tenant_id=change.tenant_id,
            change=change,
            part=part.number,
            depth=part.depth,
            step=part.step if part.step is not None else deepest - part.depth if deepest_first else part.depth,
            entity=part.entity._meta.label_lower,
            effect=part.effect,
            via=part.via,
            columns=list(part.columns),
            rows=part.rows,
            conflicts=part.conflicts,
        )
        for part in plan.parts
    )


def _key_report(operation: str, selection: Selection, plan: Plan) -> KeyReport | None:
    """Which listed keys were not found; keys of other tenants are unknown here."""
    if selection.keys is None:
        return None
    found = plan.rows_selected
    unknown: tuple[str, ...] = ()
    if found < len(selection.keys):
        present = set(REGISTRY[operation].rows(selection).values_list("pk", flat=True)[: len(selection.keys)])
        unknown = tuple(str(key) for key in selection.keys if key not in present)[:5]
    return KeyReport(selection.given, len(selection.keys), found, unknown)


def _table_rows(selection: Selection) -> int:
    """Live rows of the whole table, to tell when the conditions leave nothing out."""
    model: Any = selection.entity
    return int(model.objects.count())


def count_capped(selection: Selection, operation: str, *, cap: int = 100_000, seconds: float = 2.0) -> int | None:
    """Matching rows up to `cap` + 1, or None when counting took too long."""
    rows = REGISTRY[operation].rows(selection).order_by().values("pk")[: cap + 1]
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(int(seconds * 1000))])
            return int(rows.count())
    except OperationalError:
        return None
