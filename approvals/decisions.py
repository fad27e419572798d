"""Votes: bound to the fingerprint the voter saw, one per person and round, never the requester's own."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError
from django.db.models.functions import Now

from access.enforcement import enforce
from approvals import tickets
from approvals.errors import (
    AlreadyVoted,
    DigestMoved,
    NotAPerson,
    RejectionNeedsReason,
    SelfApproval,
    TicketNotPending,
    UnknownDecision,
)
from approvals.models import Ticket, Vote
from changes import execution, preflight, record
from changes.states import State
from foundation.actor import Actor
from foundation.postgres.transactions import durable


def vote(ticket_id: int, *, actor: Actor, decision: str, digest: str, reason: str = "") -> Ticket:
    """Approve or reject what `digest` names. Approving never starts anything.

    Raises NotAllowed, SelfApproval, TicketNotPending, AlreadyVoted, DigestMoved, RejectionNeedsReason, PreflightBlocks.
    """
    ticket = tickets.get(ticket_id)
    enforce(actor, "ticket.vote", f"T-{ticket.pk}")
    if decision not in Vote.Decision.values:
        raise UnknownDecision(field="decision", value=str(decision)[:40])
    if decision == Vote.Decision.REJECT and not reason.strip():
        raise RejectionNeedsReason(field="reason")
    if decision == Vote.Decision.APPROVE and ticket.requester_person_id != actor.person_id:
        preflight.before_vote(ticket.change, actor)
    try:
        with durable():
            return _vote(ticket, actor, decision, digest, reason.replace("\x00", "").strip()[:4000])
    except IntegrityError as error:
        name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", "")
        if name == "approvals_vote_one_per_person":
            raise AlreadyVoted(ticket_id=ticket.pk) from error
        if name == "approvals_vote_not_the_requester":
            raise SelfApproval(ticket_id=ticket.pk) from error
        raise


def _vote(ticket: Ticket, actor: Actor, decision: str, digest: str, reason: str) -> Ticket:
    ticket = Ticket.objects.select_for_update(of=("self",)).select_related("change").get(pk=ticket.pk)
    person_id, user_id = _person(actor)
    _refuse(ticket, person_id, digest)
    Vote.objects.create(
        tenant_id=ticket.tenant_id,
        ticket=ticket,
        requester_person_id=ticket.requester_person_id,
        person_id=person_id,
        user_id=user_id,
        name=actor.name,
        decision=decision,
        digest=digest,
        reason=reason,
        round=ticket.round,
    )
    facts: dict[str, Any] = {"ticket": ticket.pk, "reason": reason, "digest": digest, "round": ticket.round}
    if decision == Vote.Decision.REJECT:
        tickets.settle(ticket, Ticket.State.REJECTED)
        execution.move(ticket.change, State.REFUSED)
        record.note(ticket.change, "ticket.rejected", **facts)
        return ticket
    record.note(ticket.change, "ticket.vote", **facts)
    if ticket.votes.filter(round=ticket.round, decision=Vote.Decision.APPROVE).count() >= ticket.required:
        tickets.settle(ticket, Ticket.State.APPROVED)
        execution.clear(ticket.change, by="ticket")
        record.note(ticket.change, "ticket.approved", ticket=ticket.pk)
    return ticket


def _person(actor: Actor) -> tuple[int, int]:
    if actor.person_id is None or actor.user_id is None:
        raise NotAPerson()
    return actor.person_id, actor.user_id


def _refuse(ticket: Ticket, person_id: int, digest: str) -> None:
    """Everything that speaks against this vote, the ticket's row being locked."""
    if person_id == ticket.requester_person_id:
        raise SelfApproval(ticket_id=ticket.pk)
    if not Ticket.objects.filter(pk=ticket.pk, state=Ticket.State.PENDING, expires_at__gt=Now()).exists():
        raise TicketNotPending(ticket_id=ticket.pk, state=tickets.state_words(ticket))
    if ticket.votes.filter(round=ticket.round, person_id=person_id).exists():
        raise AlreadyVoted(ticket_id=ticket.pk)
    if digest != ticket.digest or digest != ticket.change.digest:
        raise DigestMoved(ticket_id=ticket.pk, digest=ticket.digest)
