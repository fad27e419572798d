"""The look at a draft: one real plan, taken back, kept for a few minutes so that step 3 shows the same numbers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache

from approvals import gate
from audit import registry
from changes import drafts, staging
from changes.models import Change
from changes.operations import REGISTRY
from changes.planning import Preview, preview
from changes.selection import Selection
from changes.states import Effect, Operation, Verdict
from console.admin import columns
from console.pages import checking
from console.pages.labels import plural, record_url, table
from console.presenters import checks, impact
from console.presenters.impact import capital
from console.presenters.sample import Sample, sample
from foundation.actor import Actor

KEEP_SECONDS, SAMPLE_SIZE = 300, 5


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows that stop the change, and the relation that would take them along."""

    name: str
    entity: str
    rows: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the plan counted; plain values, so that they can be kept."""

    rows: int
    entity_rows: int
    approvals: int
    parts: tuple[tuple[str, str, int, int, int], ...]
    findings: tuple[dict[str, Any], ...]
    stops: tuple[Relation, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """The page's values, all of one plan."""

    rows: int
    entity_rows: int
    approvals: int
    impact: impact.Impact
    checks: tuple[checks.Check, ...]
    stops: tuple[Relation, ...]
    text: str
    sample: Sample | None
    words: tuple[str, ...] = ()

    @property
    def blocked(self) -> bool:
        return any(check.tone == "bad" for check in self.checks)


def look(actor: Actor, draft: Change) -> Look:
    """Plan the draft, or take the plan of a few minutes ago. Raises Invalid for a selection that is none."""
    if draft.operation == Operation.IMPORT:
        return _look_at_file(draft)
    entity = registry.entity(draft.entity)
    selection = Selection.parse(draft.selection, entity)
    name = _name(draft)
    numbers = cache.get(name)
    if numbers is None:
        also = frozenset(draft.options.get("cascade_also", ()))
        found = preview(
            actor,
            entity=entity,
            operation=draft.operation,
            selection=selection,
            cascade_also=also,
            options=drafts.asked(draft),
        )
        numbers = _numbers(found, draft.operation)
        if not found.blocked:  # what blocks may be mended meanwhile
            cache.set(name, numbers, KEEP_SECONDS)
    return Look(
        rows=numbers.rows,
        entity_rows=numbers.entity_rows,
        approvals=numbers.approvals,
        impact=_impact(numbers, draft.operation),
        checks=checking.lines(numbers.findings),
        stops=numbers.stops,
        text=selection.describe(),
        sample=_sample(selection, draft) if numbers.entity_rows else None,
        words=REGISTRY[draft.operation].in_words(draft),
    )


def _look_at_file(draft: Change) -> Look:
    """What the lines of a file would do; they were judged when it was sent."""
    counted = staging.counts(draft)
    changed, added, conflicts = counted[Verdict.CHANGED], counted[Verdict.NEW], counted[Verdict.CONFLICT]
    parts = (
        (draft.entity, Effect.LOAD.value, 0, changed, conflicts),
        (draft.entity, Effect.CREATE.value, 0, added, 0),
    )
    numbers = Numbers(
        rows=changed + added,
        entity_rows=changed + added,
        approvals=gate.foreseen(draft.operation, [(draft.entity, changed + added)]).approvals,
        parts=tuple(part for part in parts if part[3] or part[4]),
        findings=(),
        stops=(),
    )
    return Look(
        rows=numbers.rows,
        entity_rows=numbers.entity_rows,
        approvals=numbers.approvals,
        impact=_impact(numbers, draft.operation),
        checks=(),
        stops=(),
        text=draft.title,
        sample=None,
        words=REGISTRY[draft.operation].in_words(draft),
    )


def _name(draft: Change) -> str:
    what = json.dumps([draft.selection, draft.options, draft.operation, draft.entity], sort_keys=True, default=str)
    return f"look:{draft.tenant_id}:{draft.pk}:{hashlib.sha256(what.encode()).hexdigest()[:32]}"


def _numbers(found: Preview, operation: str) -> Numbers:
    plan = found.plan
    parts = ((p.entity._meta.label_lower, p.rows) for p in plan.parts)
    needed = gate.foreseen(operation, parts, least=plan.approvals_least)
    return Numbers(
        rows=plan.rows_total,
        entity_rows=plan.rows_selected,
        approvals=needed.approvals,
        parts=tuple((p.entity._meta.label_lower, str(p.effect), p.depth, p.rows, p.conflicts) for p in plan.parts),
        findings=tuple(finding.as_json() for finding in found.findings),
        stops=tuple(Relation(stop.relation, stop.entity, stop.rows) for stop in plan.protected),
    )


def _impact(numbers: Numbers, operation: str) -> impact.Impact:
    parts = [
        impact.Part(name=plural(label), table=table(label), effect=effect, depth=depth, rows=rows, conflicts=conflicts)
        for label, effect, depth, rows, conflicts in numbers.parts
    ]
    parts += [
        impact.Part(name=plural(stop.entity), table=table(stop.entity), effect="block", depth=1, rows=stop.rows)
        for stop in numbers.stops
    ]
    return impact.impact(parts, operation=operation)


def _sample(selection: Selection, draft: Change) -> Sample:
    """The first rows by key; after the freeze the sample is drawn from the frozen rows."""
    model: Any = selection.entity
    fields = [model._meta.pk, *columns.special_fields(model)[:4]]
    rows = REGISTRY[draft.operation].rows(selection).order_by("pk")[:SAMPLE_SIZE]
    return sample(
        [capital(str(field.verbose_name)) for field in fields],
        [
            (
                str(row.pk),
                record_url(draft.entity, columns.key_text(row)),
                False,
                [columns.shown(row, f) for f in fields],
            )
            for row in rows
        ],
    )
