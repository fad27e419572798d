"""Votes: bound to the fingerprint the voter saw, one per person and round, never the requester's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, connection
from django.db.models.functions import Now

from access import proofs
from access.enforcement import enforce
from approvals import tickets
from approvals.errors import (
    AlreadyVoted,
    ContributorVotes,
    DigestMoved,
    NotAPerson,
    NotEntitled,
    RejectionNeedsReason,
    RuleAuthor,
    SelfApproval,
    SendingBackNeedsReason,
    TicketNotPending,
    UnknownDecision,
)
from approvals.models import Contributor, RuleVersion, Ticket, Vote
from approvals.notices.kinds import Kind
from approvals.notices.telling import tell
from changes import execution, preflight, record
from changes.states import State
from foundation.actor import Actor
from foundation.postgres.transactions import durable


def vote(ticket_id: int, *, actor: Actor, decision: str, digest: str, reason: str = "") -> Ticket:
    """Approve or reject what `digest` names. Approving never starts anything.

    Raises NotAllowed, SelfApproval, ContributorVotes, TicketNotPending, AlreadyVoted, DigestMoved, RejectionNeedsReason,
    NotEntitled, RuleAuthor, StepUpNeeded, PreflightBlocks.
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
        if name == "approvals_vote_not_a_contributor":
            raise ContributorVotes(ticket_id=ticket.pk) from error
        raise


def _vote(ticket: Ticket, actor: Actor, decision: str, digest: str, reason: str) -> Ticket:
    ticket = Ticket.objects.select_for_update(of=("self",)).select_related("change").get(pk=ticket.pk)
    person_id, user_id = _person(actor)
    _refuse(ticket, person_id, digest)
    _refuse_strangers(ticket, person_id, user_id, decision)
    proof = proofs.require(actor, "ticket.vote", f"T-{ticket.pk}")
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
        proof_id=proof,
    )
    facts: dict[str, Any] = {
        "ticket": ticket.pk,
        "reason": reason,
        "digest": digest,
        "round": ticket.round,
        "proof": proof,
    }
    if decision == Vote.Decision.REJECT:
        tickets.settle(ticket, Ticket.State.REJECTED)
        execution.move(ticket.change, State.REFUSED)
        record.note(ticket.change, "ticket.rejected", **facts)
        tell(Kind.TICKET_REJECTED, ticket=ticket, persons=[ticket.requester_person_id])
        return ticket
    record.note(ticket.change, "ticket.vote", **facts)
    return _counted_in(ticket)


def _counted_in(ticket: Ticket) -> Ticket:
    """What an approval leads to: the ticket approved and its change cleared, when it was the last one needed."""
    stages = counted(ticket)
    agreed = all(stage.votes >= stage.need for stage in stages)
    if agreed:
        tickets.settle(ticket, Ticket.State.APPROVED)
        execution.clear(ticket.change, by="ticket")
        record.note(ticket.change, "ticket.approved", ticket=ticket.pk)
    kind, have = Kind.TICKET_APPROVED if agreed else Kind.TICKET_VOTED, sum(stage.votes for stage in stages)
    tell(kind, ticket=ticket, persons=[ticket.requester_person_id], facts={"have": have, "need": ticket.required})
    return ticket


def send_back(ticket_id: int, *, actor: Actor, digest: str, reason: str) -> Ticket:
    """Give what `digest` names back to whoever asked, to be put another way. The votes so far are void.

    Raises NotAllowed, SelfApproval, ContributorVotes, TicketNotPending, DigestMoved, SendingBackNeedsReason, NotEntitled,
    RuleAuthor.
    """
    ticket = tickets.get(ticket_id)
    enforce(actor, "ticket.vote", f"T-{ticket.pk}")
    said = reason.replace("\x00", "").strip()[:4000]
    if not said:
        raise SendingBackNeedsReason(field="reason")
    with durable():
        ticket = Ticket.objects.select_for_update(of=("self",)).select_related("change").get(pk=ticket.pk)
        person_id, user_id = _person(actor)
        _refuse(ticket, person_id, digest, votes=False)
        _refuse_strangers(ticket, person_id, user_id, Vote.Decision.REJECT)
        tickets.settle(ticket, Ticket.State.SENT_BACK)
        execution.move(ticket.change, State.DRAFT)
        facts: dict[str, Any] = {"ticket": ticket.pk, "reason": said, "digest": digest, "round": ticket.round}
        record.note(ticket.change, "ticket.sent_back", **facts)
    return ticket


def _person(actor: Actor) -> tuple[int, int]:
    if actor.person_id is None or actor.user_id is None:
        raise NotAPerson()
    return actor.person_id, actor.user_id


def _refuse(ticket: Ticket, person_id: int, digest: str, *, votes: bool = True) -> None:
    """Everything that speaks against this decision, the ticket's row being locked."""
    if person_id == ticket.requester_person_id:
        raise SelfApproval(ticket_id=ticket.pk)
    if Contributor.objects.filter(change_id=ticket.change_id, person_id=person_id).exists():
        raise ContributorVotes(ticket_id=ticket.pk)
    if not Ticket.objects.filter(pk=ticket.pk, state=Ticket.State.PENDING, expires_at__gt=Now()).exists():
        raise TicketNotPending(ticket_id=ticket.pk, state=tickets.state_words(ticket))
    if votes and ticket.votes.filter(round=ticket.round, person_id=person_id).exists():
        raise AlreadyVoted(ticket_id=ticket.pk)
    if digest != ticket.digest or digest != ticket.change.digest:
        raise DigestMoved(ticket_id=ticket.pk, digest=ticket.digest)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a ticket: which group, how many of it are needed, how many have agreed."""

    number: int
    group: str
    need: int
    votes: int


def counted(ticket: Ticket, *, now: bool = True) -> list[Stage]:
    """The stages in their order, with the approvals that count. `now`: only of people who may still decide."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT stage, circle, need, votes FROM custody.counted(%s, %s, %s) ORDER BY stage",
            [ticket.tenant_id, ticket.pk, now],
        )
        return [Stage(*row) for row in cursor.fetchall()]


def open_stages(ticket: Ticket, decision: str = Vote.Decision.APPROVE) -> list[Stage]:
    """Stages that a decision can be given for now: those not full, of an ordered rule the first of them."""
    stages = counted(ticket)
    if decision == Vote.Decision.REJECT:
        return stages
    waiting = [stage for stage in stages if stage.votes < stage.need]
    return waiting[:1] if ticket.rule.get("ordered") else waiting


def is_entitled(ticket: Ticket, group: str, *, person_id: int, user_id: int) -> bool:
    """Whether this login may decide for the group now; the database asks the same of every vote."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT custody.entitled(%s, %s, %s, %s)", [ticket.tenant_id, user_id, person_id, group])
        return bool(cursor.fetchone()[0])


def may_decide(ticket: Ticket, *, person_id: int, user_id: int) -> bool:
    """Whether this login's approval would count for a stage now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT custody.may_decide(%s, %s, %s, %s)", [ticket.tenant_id, ticket.pk, user_id, person_id])
        return bool(cursor.fetchone()[0])


def _refuse_strangers(ticket: Ticket, person_id: int, user_id: int, decision: str) -> None:
    version = ticket.rule_version
    if version and RuleVersion.objects.filter(number=version, author_person_id=person_id).exists():
        raise RuleAuthor(ticket_id=ticket.pk)
    groups = [stage.group for stage in open_stages(ticket, decision)]
    if decision == Vote.Decision.APPROVE:
        may = may_decide(ticket, person_id=person_id, user_id=user_id)
    else:
        may = any(is_entitled(ticket, group, person_id=person_id, user_id=user_id) for group in groups)
    if not may:
        raise NotEntitled(ticket_id=ticket.pk, groups=", ".join(dict.fromkeys(groups)))
