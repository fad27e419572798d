"""Which changes stand in which tab, and which wait for one person. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import BigIntegerField, BooleanField, Count, Exists, F, Func, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from access.enforcement import allowed
from approvals.models import Contributor, Ticket, Vote
from changes.models import Change
from changes.states import UNFINISHED, State
from console.pages.labels import plural
from console.presenters.rows import ChangeFacts, ChangeRow, change_row
from foundation.actor import Actor

# A draft that was thrown away froze nothing; nobody misses it in a list.
THROWN_AWAY = Q(state=State.REFUSED, frozen_at__isnull=True)
OPEN = (State.FROZEN, State.WAITING, State.CLEARED, *UNFINISHED, State.FAILED)
NOTHING = Q(pk__in=())
SENT_BACK = Q(state=State.DRAFT, ticket__state=Ticket.State.SENT_BACK)


def changes() -> QuerySet[Change]:
    """Every change of the tenant with its ticket, newest first."""
    return Change.objects.select_related("ticket").order_by("-pk")


def waiting_for(actor: Actor) -> Q:
    """What this person can move now: tickets to decide, one's own that were sent back, approved changes to start.

    Never a vote on what one had a hand in.
    """
    found = NOTHING
    if allowed(actor, "ticket.vote") and actor.person_id is not None:
        voted = Vote.objects.filter(
            ticket__change_id=OuterRef("pk"), person_id=actor.person_id, round=OuterRef("ticket__round")
        )
        hand = Contributor.objects.filter(change_id=OuterRef("pk"), person_id=actor.person_id)
        pending = Q(state=State.WAITING, ticket__state=Ticket.State.PENDING, ticket__expires_at__gt=Now())
        mine = Func(
            F("tenant_id"),
            F("ticket__id"),
            Value(actor.user_id, output_field=BigIntegerField()),
            Value(actor.person_id, output_field=BigIntegerField()),
            function="custody.may_decide",
            output_field=BooleanField(),
        )
        others = pending & ~Q(ticket__requester_person_id=actor.person_id) & Q(~Exists(hand))
        found |= others & Q(~Exists(voted)) & Q(mine)
    if allowed(actor, "change.request") and actor.person_id is not None:
        found |= SENT_BACK & Q(requester_person_id=actor.person_id)
    if allowed(actor, "change.start"):
        found |= Q(state=State.CLEARED)
    return found


def tabs(actor: Actor) -> dict[str, Q]:
    """The conditions of the tabs by their names in the address."""
    return {
        "waiting": waiting_for(actor),
        "mine": Q(requester_person_id=actor.person_id) & ~THROWN_AWAY if actor.person_id is not None else NOTHING,
        "open": Q(state__in=OPEN) | SENT_BACK,
        "done": Q(state__in=(State.DONE, State.CANCELLED)),
        "closed": Q(state=State.REFUSED) & ~THROWN_AWAY,
    }


def counts(actor: Actor) -> dict[str, int]:
    """How many changes each tab holds, in one query."""
    return Change.objects.aggregate(**{name: Count("pk", filter=tab) for name, tab in tabs(actor).items()})


def waiting_count(actor: Actor) -> int:
    """The badge beside the menu entry."""
    return Change.objects.filter(waiting_for(actor)).count()


def rows(found: Iterable[Change]) -> list[ChangeRow]:
    """Changes as lines; one query more for the votes."""
    listed = list(found)
    tickets = [change.ticket.pk for change in listed if hasattr(change, "ticket")]
    have: dict[int, int] = {}
    if tickets:
        votes = Vote.objects.filter(
            ticket_id__in=tickets, decision=Vote.Decision.APPROVE, round=F("ticket__round")
        ).order_by()
        have = dict(votes.values_list("ticket_id").annotate(n=Count("pk")))
    now = timezone.now()
    return [change_row(_facts(change, have), now=now) for change in listed]


def _facts(change: Change, have: dict[int, int]) -> ChangeFacts:
    ticket: Any = getattr(change, "ticket", None)
    return ChangeFacts(
        code=code(change),
        url=url(change),
        title=change.title or str(plural(change.entity)),
        entity=plural(change.entity),
        operation=change.operation,
        state=change.state,
        rows_selected=change.rows_selected,
        rows_total=change.rows_total,
        asked_by=change.requester_name,
        asked_at=change.created_at,
        ticket=ticket.state if ticket else None,
        have=have.get(ticket.pk, 0) if ticket else 0,
        need=ticket.required if ticket else 0,
        expires_at=ticket.expires_at if ticket else None,
    )


def code(change: Change) -> str:
    """T-12 when people decide it, C-12 otherwise."""
    ticket: Any = getattr(change, "ticket", None)
    return f"T-{ticket.pk}" if ticket else f"C-{change.pk}"


def url(change: Change) -> str:
    """The page where the change can be looked at or gone on with."""
    ticket: Any = getattr(change, "ticket", None)
    if ticket:
        return reverse("admin:ticket", args=[ticket.pk])
    if change.state == State.DRAFT:
        return reverse("admin:change-look", args=[change.pk])
    return reverse("admin:change", args=[change.pk])
