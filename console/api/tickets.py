"""Tickets: what waits for whom, the votes, and taking back one's own request."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from access.enforcement import allowed
from access.errors import StepUpNeeded
from approvals import decisions, gate, life, tickets
from approvals import errors as refusals
from approvals.models import Contributor, Ticket, Vote
from changes import errors as engine
from changes.errors import PreflightBlocks
from console.api import paging
from console.api.base import ApiView
from console.api.changes import SELECTION_ERRORS, flag
from console.api.describing import operation, query
from console.api.errors import BadParameter
from console.api.fields import read
from console.api.requests import AskAgainRequest, SendBackRequest, VoteRequest, WithdrawRequest
from console.api.serializers import TicketShown, TicketWhole
from foundation.actor import Actor

FILTERS = (
    query("state", "Only tickets in this state.", enum=Ticket.State.values),
    query("waiting_for_me", "1: only tickets this person can decide now.", int, enum=[0, 1]),
)


class TicketList(ApiView):
    parameters = {"GET": paging.PARAMETERS | {"state", "waiting_for_me"}}

    @operation("listTickets", "Tickets, newest first", gives=TicketShown, paged=True, parameters=FILTERS, tag="tickets")
    def get(self, request: Request) -> Response:
        self.enforce("change.browse", "*")
        rows = _filtered(request, _whole(), self.actor).order_by("-pk")
        after = paging.numbers(request)
        if after is not None:
            rows = rows.filter(pk__lt=after[0])
        return Response(
            paging.page(
                request,
                rows,
                key=lambda ticket: (ticket.pk,),
                show=lambda found: list(TicketShown(found, many=True).data),
                limit=paging.size(request),
            )
        )


class TicketDetail(ApiView):
    @operation(
        "getTicket", "One ticket with its votes", gives=TicketWhole, errors=(refusals.TicketNotFound,), tag="tickets"
    )
    def get(self, request: Request, ticket_id: int) -> Response:
        self.enforce("change.browse", f"T-{ticket_id}")
        return Response(_shown(ticket_id))


class TicketVotes(ApiView):
    @operation(
        "castVote",
        "Approve or reject what `digest` names; approving starts nothing",
        takes=VoteRequest,
        gives=TicketWhole,
        status=201,
        errors=(
            refusals.TicketNotFound,
            refusals.UnknownDecision,
            refusals.RejectionNeedsReason,
            refusals.SelfApproval,
            refusals.ContributorVotes,
            refusals.NotAPerson,
            refusals.TicketNotPending,
            refusals.AlreadyVoted,
            refusals.DigestMoved,
            StepUpNeeded,
            PreflightBlocks,
        ),
        tag="tickets",
    )
    def post(self, request: Request, ticket_id: int) -> Response:
        self.enforce("change.browse", f"T-{ticket_id}")
        sent = read(VoteRequest, request.data)
        decisions.vote(
            ticket_id, actor=self.actor, decision=sent["decision"], digest=sent["digest"], reason=sent["reason"]
        )
        return Response(_shown(ticket_id), status=201)


class TicketWithdraw(ApiView):
    @operation(
        "withdrawTicket",
        "Take one's own request back while nobody has decided",
        takes=WithdrawRequest,
        gives=TicketWhole,
        errors=(refusals.TicketNotFound, refusals.NotYours, refusals.TicketNotPending),
        tag="tickets",
    )
    def post(self, request: Request, ticket_id: int) -> Response:
        self.enforce("change.browse", f"T-{ticket_id}")
        sent = read(WithdrawRequest, request.data)
        tickets.withdraw(ticket_id, actor=self.actor, reason=sent["reason"])
        return Response(_shown(ticket_id))


class TicketSendBack(ApiView):
    @operation(
        "sendTicketBack",
        "Give what `digest` names back to be put another way; votes are void",
        takes=SendBackRequest,
        gives=TicketWhole,
        errors=(
            refusals.TicketNotFound,
            refusals.SendingBackNeedsReason,
            refusals.SelfApproval,
            refusals.ContributorVotes,
            refusals.RuleAuthor,
            refusals.NotEntitled,
            refusals.NotAPerson,
            refusals.TicketNotPending,
            refusals.DigestMoved,
        ),
        tag="tickets",
    )
    def post(self, request: Request, ticket_id: int) -> Response:
        self.enforce("change.browse", f"T-{ticket_id}")
        sent = read(SendBackRequest, request.data)
        decisions.send_back(ticket_id, actor=self.actor, digest=sent["digest"], reason=sent["reason"])
        return Response(_shown(ticket_id))


class TicketAskAgain(ApiView):
    @operation(
        "askAgain",
        "Ask once more for what was sent back: frozen anew, a new round of votes",
        takes=AskAgainRequest,
        gives=TicketWhole,
        errors=(
            refusals.TicketNotFound,
            refusals.TicketNotSentBack,
            refusals.RowsInAnotherTicket,
            refusals.AskedAtOnce,
            *SELECTION_ERRORS,
            engine.ReasonMissing,
            engine.WrongState,
            engine.ProtectedRows,
            engine.BadWindow,
            engine.BadCanary,
        ),
        tag="tickets",
    )
    def post(self, request: Request, ticket_id: int) -> Response:
        """Whatever is left out stays as it was."""
        self.enforce("change.browse", f"T-{ticket_id}")
        sent = {name: value for name, value in read(AskAgainRequest, request.data).items() if name in request.data}
        words = {name: sent.pop(name, "") for name in ("title", "reason")}
        gate.ask_again(ticket_id, actor=self.actor, **words, **sent)
        return Response(_shown(ticket_id))


def waiting_for(actor: Actor) -> Any:
    """Tickets this person can decide now: pending, in time, not their own, not voted on by them."""
    if not allowed(actor, "ticket.vote") or actor.person_id is None:
        return Ticket.objects.none()
    voted = Vote.objects.filter(ticket_id=OuterRef("pk"), person_id=actor.person_id, round=OuterRef("round"))
    mine = Contributor.objects.filter(change_id=OuterRef("change_id"), person_id=actor.person_id)
    return _pending().exclude(requester_person_id=actor.person_id).filter(~Exists(voted), ~Exists(mine))


def _pending() -> Any:
    return Ticket.objects.filter(state=Ticket.State.PENDING, expires_at__gt=Now())


def _whole() -> Any:
    return Ticket.objects.select_related("change").prefetch_related("votes").annotate(now=Now())


def _filtered(request: Request, rows: Any, actor: Actor) -> Any:
    state = request.query_params.get("state")
    if state is not None:
        rows = rows.filter(_in_state(state))
    if flag(request, "waiting_for_me"):
        rows = rows.filter(pk__in=waiting_for(actor).values("pk"))
    return rows


def _in_state(state: str) -> Q:
    """An open ticket past its time is expired, whether or not the clerk came by."""
    if state not in Ticket.State.values:
        raise BadParameter(field="state", value=state[:40], hint=", ".join(Ticket.State.values))
    late = Q(state__in=life.OPEN, expires_at__lte=Now())
    if state == Ticket.State.EXPIRED:
        return Q(state=state) | late
    return Q(state=state) & ~late


def _shown(ticket_id: int) -> dict[str, Any]:
    ticket = _whole().filter(pk=ticket_id).first()
    if ticket is None:
        raise refusals.TicketNotFound(ticket_id=ticket_id)
    ticket.links = {
        "self": reverse("api:ticket", args=[ticket.pk]),
        "votes": reverse("api:ticket-votes", args=[ticket.pk]),
        "comments": reverse("api:ticket-comments", args=[ticket.pk]),
        "watch": reverse("api:ticket-watch", args=[ticket.pk]),
        "send_back": reverse("api:ticket-send-back", args=[ticket.pk]),
        "ask_again": reverse("api:ticket-ask-again", args=[ticket.pk]),
        "withdraw": reverse("api:ticket-withdraw", args=[ticket.pk]),
        "change": reverse("api:change", args=[ticket.change_id]),
        "rows": reverse("api:change-rows", args=[ticket.change_id]),
    }
    return dict(TicketWhole(ticket).data)
