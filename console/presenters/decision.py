"""The decision panel: who agreed, what is missing, and why a button is not for you. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from console.presenters.words import clock, fingerprint, initials, span

URGENT = timedelta(hours=4)


APPROVER = "approver"


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteFacts:
    """One person's recorded decision."""

    name: str
    decision: str
    at: datetime
    digest: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketFacts:
    """The ticket as the panel needs it."""

    id: int
    state: str
    required: int
    digest: str
    requester: str
    requester_person: int | None
    expires_at: datetime | None
    votes: Sequence[VoteFacts] = ()
    # The groups of the approvals still missing, one name each; approvers where there are none.
    missing: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks, and what the policy lets them do."""

    person: int | None
    votes: bool
    voted: bool = False
    contributed: bool = False
    withdraws: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One needed agreement, given or free; mark is on, no or empty."""

    title: str
    text: str
    initials: str
    mark: str
    icon: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The panel; `why_not` is the sentence beside a blocked button, empty when one may decide."""

    title: str
    open: bool
    have: int
    need: int
    slots: tuple[Slot, ...]
    why_not: str
    may_vote: bool
    may_withdraw: bool
    digest: str
    groups: tuple[str, ...]
    expiry: str
    urgent: bool
    after: str


def panel(ticket: TicketFacts, viewer: Viewer, *, now: datetime) -> Panel:
    """What the viewer sees of the decision."""
    in_time = ticket.expires_at is None or ticket.expires_at > now
    is_open = ticket.state == "pending" and in_time
    why_not = _why_not(ticket, viewer, is_open=is_open)
    left = ticket.expires_at - now if ticket.expires_at else None
    return Panel(
        title=_("Your decision") if is_open and not why_not else _("Approvals"),
        open=is_open,
        have=sum(vote.decision == "approve" for vote in ticket.votes),
        need=ticket.required,
        slots=_slots(ticket, is_open=is_open),
        why_not=why_not if is_open else "",
        may_vote=is_open and not why_not,
        may_withdraw=(is_open or (ticket.state == "sent_back" and in_time))
        and viewer.withdraws
        and viewer.person == ticket.requester_person,
        digest=ticket.digest,
        groups=fingerprint(ticket.digest),
        expiry=_expiry(left) if is_open and left is not None else "",
        urgent=bool(is_open and left is not None and left < URGENT),
        after=_("Approving does not start anything. %(name)s or an operator starts it.") % {"name": ticket.requester},
    )


def _why_not(ticket: TicketFacts, viewer: Viewer, *, is_open: bool) -> str:
    if not is_open:
        return _("This ticket is decided.")
    if viewer.person is not None and viewer.person == ticket.requester_person:
        return _("You asked for this, so someone else must decide.")
    if viewer.contributed:
        return _("You had a hand in this request, so someone else must decide.")
    if viewer.voted:
        return _("You have decided already.")
    if not viewer.votes:
        strangers = sorted({group for group in ticket.missing if group != APPROVER})
        if strangers:
            return _("This waits for %(groups)s now.") % {"groups": ", ".join(strangers)}
        return _("Only an approver decides.")
    return ""


def _slots(ticket: TicketFacts, *, is_open: bool) -> tuple[Slot, ...]:
    given = [_given(vote, ticket.digest) for vote in ticket.votes]
    free = ticket.required - sum(slot.mark == "on" for slot in given) if is_open else 0
    groups = [*ticket.missing, *[APPROVER] * max(0, free - len(ticket.missing))][: max(0, free)]
    return (*given, *[_empty(group) for group in groups])


def _empty(group: str) -> Slot:
    title = _("An approver") if group == APPROVER else _("Somebody of %(group)s") % {"group": group}
    return Slot(title=title, text=_("not decided yet"), initials="–", mark="", icon="time")


def _given(vote: VoteFacts, digest: str) -> Slot:
    approved = vote.decision == "approve"
    when = {"time": clock(vote.at)}
    text = _("approved, %(time)s") % when if approved else _("rejected, %(time)s") % when
    if vote.digest != digest:
        text = _("%(what)s; covers an old fingerprint") % {"what": text}
    return Slot(
        title=vote.name,
        text=text,
        initials=initials(vote.name),
        mark="on" if approved else "no",
        icon="ok" if approved else "bad",
        reason=vote.reason,
    )


def _expiry(left: timedelta) -> str:
    return _("expires in %(span)s") % {"span": span(left)}
