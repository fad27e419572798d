"""The part of a ticket's page for what was sent back: who said what has to change, and the form to ask again."""

from __future__ import annotations

from django.urls import reverse

from access.enforcement import allowed
from approvals.models import Ticket
from audit.models import Event
from changes.models import Change
from changes.operations import REGISTRY
from changes.operations.base import no_options
from changes.states import Operation
from foundation.actor import Actor


def sent_back(ticket: Ticket | None) -> tuple[str, str] | None:
    """Who sent it back, and what has to change."""
    if ticket is None or ticket.state != Ticket.State.SENT_BACK:
        return None
    acts = Event.objects.filter(change_id=ticket.change_id, action="ticket.sent_back").order_by("-pk")
    said = acts.values_list("operator_name", "facts").first()
    return ("", "") if said is None else (said[0], str((said[1] or {}).get("reason", "")))


def retold(change: Change, ticket: Ticket | None, actor: Actor) -> dict[str, str] | None:
    """The form's values, for whoever may edit what was sent back."""
    asks = "change.undo" if change.operation == Operation.UNDO else "change.request"
    if ticket is None or ticket.state != Ticket.State.SENT_BACK or not allowed(actor, asks):
        return None
    return {"title": change.title, "reason": change.reason, "problem": "", "rows_url": _rows_url(change, actor)}


def _rows_url(change: Change, actor: Actor) -> str:
    """The three steps, for one's own request that was made in them."""
    if change.requester_person_id != actor.person_id or change.retry_of_id is not None:
        return ""
    if change.operation == Operation.IMPORT:
        return reverse("admin:change-look", args=[change.pk])
    kind = REGISTRY[change.operation]
    known = kind.needs_selection and (kind.name == Operation.UPDATE or kind.read_options is no_options)
    return reverse("admin:change-choose", args=[change.pk]) if known else ""
