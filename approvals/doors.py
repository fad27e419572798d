"""The door of the ORM: `instance.delete()` and `queryset.delete()` of every entity end up here."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.db import transaction

from approvals import gate
from audit import registry
from audit.errors import DeleteNeedsApproval, NobodyActing
from changes import execution, lanes, submission
from changes.errors import EmptySelection
from changes.models import Change
from changes.selection import KEY_LIMIT, Selection
from changes.states import Operation, State
from foundation import context

UNSAID = "deleted by program"


def delete_selection(rows: Any) -> tuple[int, dict[str, int]]:
    """Archive the rows of a queryset and what goes along, at once and wholly, or refuse.

    Raises DeleteNeedsApproval above a threshold, ProtectedRows, NotAllowed, NobodyActing.
    Returns rows in all and per model label.
    """
    work = context.current()
    if work is None:
        raise NobodyActing()
    live = rows.filter(is_deleted=False).order_by()
    _refuse_many(rows.model, live)
    keys = tuple(live.values_list("pk", flat=True))
    if not keys:
        return 0, {}
    with transaction.atomic():
        try:
            change = _run(work, rows.model, Selection(entity=rows.model, keys=keys, given=len(keys)))
        except EmptySelection:
            return 0, {}
    counted = Counter({part.entity: part.rows for part in change.parts.filter(effect="delete")})
    return change.applied, dict(counted)


def _refuse_many(model: Any, live: Any) -> None:
    """Count before reading keys, so that a slip of millions costs nothing."""
    limit = min(registry.threshold(model), KEY_LIMIT)
    if live[: limit + 1].count() > limit:
        raise DeleteNeedsApproval(entity=str(model.governance.label), rows=live.count())


def _run(work: context.Context, model: Any, selection: Selection) -> Change:
    change = submission.submit(
        work.actor,
        entity=model,
        operation=Operation.DELETE,
        selection=selection,
        reason=work.reason if work.reason and len(work.reason) >= submission.REASON_LEAST else UNSAID,
    )
    if gate.needed(change).approvals:
        raise DeleteNeedsApproval(entity=str(model.governance.label), rows=change.rows_total)
    execution.clear(change, by="threshold")
    execution.move(change, State.RUNNING, started_at=change.frozen_at, started_by=work.actor.name)
    lanes.open_lanes(change)
    execution.run_inline(change)
    return change
