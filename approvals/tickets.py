"""Opening, withdrawing and expiring tickets. Each step is one conditional UPDATE on the database's clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from access.enforcement import enforce
from access.models import Tenant
from access.policy import APPROVER
from approvals import life
from approvals.errors import NotAPerson, NotYours, TicketNotFound, TicketNotPending
from approvals.models import Ticket
from approvals.notices.kinds import Kind
from approvals.notices.telling import tell
from approvals.rules import Requirement
from changes import execution, record
from changes.models import Change
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from foundation.postgres.transactions import durable


def open_ticket(change: Change, requirement: Requirement) -> Ticket:
    """Put a frozen change before other people. The caller holds the transaction.

    The database writes what the rules ask for, and until when (`approvals/sql/rules_v1.sql`); what is given here is why.
    """
    if change.requester_person_id is None:
        raise NotAPerson()
    ticket = Ticket.objects.create(
        tenant_id=change.tenant_id,
        change=change,
        title=change.title,
        required=requirement.approvals,
        rule={"over": [list(part) for part in requirement.over]},
        digest=change.digest,
        requester_person_id=change.requester_person_id,
        requester_name=change.requester_name,
        expires_at=Now(),
    )
    ticket.refresh_from_db()
    execution.move(change, State.WAITING)
    record.note(change, "ticket.opened", rows=change.rows_total, ticket=ticket.pk, required=ticket.required)
    tell(Kind.TICKET_PENDING, ticket=ticket, group=APPROVER, without=[ticket.requester_person_id])
    return ticket


def reopen(ticket: Ticket, *, rows: int) -> None:
    """Begin a new round: the change went back to voting, and the votes so far count for nothing. Raises TicketNotPending.

    The caller holds the transaction, in which the change waits already.
    """
    moved = Ticket.objects.filter(pk=ticket.pk, state=Ticket.State.APPROVED, round=ticket.round).update(
        state=Ticket.State.PENDING, round=ticket.round + 1, decided_at=None, expires_at=Now() + lifetime(ticket)
    )
    ticket.refresh_from_db()
    if not moved:
        raise TicketNotPending(ticket_id=ticket.pk, state=state_words(ticket))
    record.note(ticket.change, "ticket.reopened", rows=rows, ticket=ticket.pk, round=ticket.round)
    asker = [ticket.requester_person_id]
    tell(Kind.TICKET_REOPENED, ticket=ticket, group=APPROVER, persons=asker, facts={"round": ticket.round})


def lifetime(ticket: Ticket) -> timedelta:
    """How long people have to decide, as the rule said when the ticket was opened."""
    return timedelta(hours=int(ticket.rule.get("hours", 72)))


def ask_again(change: Change, ticket: Ticket) -> Ticket:
    """Put a change that was sent back and is frozen anew before people once more. Raises TicketNotPending.

    The database puts together what the rules ask for now and what they asked for before (`approvals/sql/life_v1.sql`), so
    that it never needs less. The caller holds the transaction.
    """
    moved = Ticket.objects.filter(pk=ticket.pk, state=Ticket.State.SENT_BACK, expires_at__gt=Now()).update(
        state=Ticket.State.PENDING,
        round=ticket.round + 1,
        digest=change.digest,
        title=change.title,
        expires_at=Now() + lifetime(ticket),
        decided_at=None,
    )
    ticket.refresh_from_db()
    if not moved:
        raise TicketNotPending(ticket_id=ticket.pk, state=state_words(ticket))
    execution.move(change, State.WAITING)
    facts: dict[str, Any] = {
        "ticket": ticket.pk,
        "round": ticket.round,
        "reason": change.reason,
        "digest": change.digest,
    }
    record.note(change, "ticket.asked_again", rows=change.rows_total, **facts)
    return ticket


def get(ticket_id: int) -> Ticket:
    """A ticket of the current tenant. Raises TicketNotFound."""
    ticket = Ticket.objects.select_related("change").filter(pk=ticket_id).first()
    if ticket is None:
        raise TicketNotFound(ticket_id=ticket_id)
    return ticket


def withdraw(ticket_id: int, *, actor: Actor, reason: str = "") -> Ticket:
    """Take one's own request back while nobody has decided, or after it was sent back. Raises NotYours, TicketNotPending."""
    ticket = get(ticket_id)
    enforce(actor, "ticket.withdraw", f"T-{ticket.pk}")
    if ticket.requester_person_id != actor.person_id:
        raise NotYours(ticket_id=ticket.pk)
    with durable():
        settle(ticket, Ticket.State.WITHDRAWN)
        execution.move(ticket.change, State.REFUSED)
        record.note(ticket.change, "ticket.withdrawn", ticket=ticket.pk, reason=reason)
        voters = ticket.votes.filter(round=ticket.round).values_list("person_id", flat=True)
        tell(Kind.TICKET_WITHDRAWN, ticket=ticket, persons=voters)
    return ticket


def settle(ticket: Ticket, state: life.State) -> None:
    """Take a published step of a ticket that has not expired; one caller wins. Raises TicketNotPending."""
    renewed: dict[str, Any] = {"expires_at": Now() + lifetime(ticket)} if state == Ticket.State.SENT_BACK else {}
    moved = Ticket.objects.filter(pk=ticket.pk, state__in=life.sources(state), expires_at__gt=Now()).update(
        state=state, decided_at=Now(), **renewed
    )
    ticket.refresh_from_db()
    if not moved:
        raise TicketNotPending(ticket_id=ticket.pk, state=state_words(ticket))


def state_words(ticket: Ticket) -> str:
    """The state for people: an open ticket past its time is expired, whether or not the clerk came by."""
    if ticket.state in life.OPEN and Ticket.objects.filter(pk=ticket.pk, expires_at__lte=Now()).exists():
        return str(Ticket.State.EXPIRED.label)
    return ticket.get_state_display()


def expire_due() -> int:
    """Close tickets nobody answered in time, for all tenants; return how many."""
    closed = 0
    for tenant_id in Tenant.objects.values_list("pk", flat=True):
        with acting(Actor.service("scheduler", tenant_id=tenant_id), channel="task"):
            for ticket in Ticket.objects.filter(state__in=life.OPEN, expires_at__lte=Now()):
                closed += _expire(ticket)
    return closed


def _expire(ticket: Ticket) -> int:
    with durable():
        moved = Ticket.objects.filter(pk=ticket.pk, state__in=life.OPEN, expires_at__lte=Now()).update(
            state=Ticket.State.EXPIRED, decided_at=Now()
        )
        if moved:
            execution.move(ticket.change, State.REFUSED)
            record.note(ticket.change, "ticket.expired", ticket=ticket.pk)
            tell(Kind.TICKET_EXPIRED, ticket=ticket, persons=[ticket.requester_person_id])
    return moved
