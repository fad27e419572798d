"""Small changes of one person count together: ten times ninety-nine rows are nine hundred and ninety.

Rows per table that a person changed within ten minutes without a ticket; above the table's window the next change needs
one, however small it is. The database counts the same way (`approvals/sql/guards_v6.sql`), and statements that come
past the console are weighed in the same window (`audit/sql/guard_v1.sql`).
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Sum
from django.db.models.functions import Now

from approvals.models import Ticket
from audit import registry
from changes.models import Change, ChangePart
from changes.plan import Counted
from changes.states import State

WINDOW = timedelta(minutes=10)
NOT_DONE = (State.DRAFT, State.FROZEN, State.WAITING, State.REFUSED)


def full(change: Change) -> tuple[Counted, ...]:
    """Tables whose window this change overfills: (entity, rows with those before, window)."""
    if change.requester_person_id is None:
        return ()
    asked = _rows(ChangePart.objects.filter(change_id=change.pk))
    recent = (
        Change.objects.filter(requester_person_id=change.requester_person_id, frozen_at__gt=Now() - WINDOW)
        .exclude(pk=change.pk)
        .exclude(state__in=NOT_DONE)
        .exclude(pk__in=Ticket.objects.values("change_id"))
    )
    before = _rows(ChangePart.objects.filter(entity__in=asked, change_id__in=recent.values("pk")))
    windows = {entity: registry.window_rows(registry.entity(entity)) for entity in asked}
    return tuple(
        (entity, rows + before[entity], windows[entity])
        for entity, rows in sorted(asked.items())
        if entity in before and rows + before[entity] > windows[entity]
    )


def _rows(parts: object) -> dict[str, int]:
    counted = parts.order_by().values_list("entity").annotate(rows=Sum("rows"))  # type: ignore[attr-defined]
    return {entity: int(rows) for entity, rows in counted if rows}
