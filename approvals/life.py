"""The life of a ticket: its states, and every step between them with the sentence that says when it is taken. Pure.

This table is the only one: verbs take their steps by it, `docs/deciding.md` prints it, and the database refuses every
other step (`approvals/sql/guards_v7.sql`, `custody.ticket_may`).
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class State(TextChoices):
    PENDING = "pending", _("waiting")
    APPROVED = "approved", _("approved")
    REJECTED = "rejected", _("rejected")
    SENT_BACK = "sent_back", _("sent back")
    WITHDRAWN = "withdrawn", _("withdrawn")
    EXPIRED = "expired", _("expired")


# Before it is asked for, a change is a draft and has no ticket.
DRAFT = "draft"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: who takes it, when, and whether a new round of votes begins with it."""

    source: str
    target: State
    who: str
    sentence: str
    new_round: bool = False


STEPS = (
    Step(DRAFT, State.PENDING, "the requester", "the rows are frozen and need other persons"),
    Step(State.PENDING, State.APPROVED, "voters", "enough other persons approved this fingerprint"),
    Step(State.PENDING, State.REJECTED, "a voter", "one said no"),
    Step(State.PENDING, State.SENT_BACK, "a voter", "it has to be put another way; the votes so far are void"),
    Step(State.PENDING, State.WITHDRAWN, "the requester", "it is no longer wanted"),
    Step(State.PENDING, State.EXPIRED, "the clock", "nobody decided in time"),
    Step(State.APPROVED, State.PENDING, "a start", "more rows have changed since the freeze than may", new_round=True),
    Step(State.SENT_BACK, State.PENDING, "a requester", "edited, frozen anew and asked again", new_round=True),
    Step(State.SENT_BACK, State.WITHDRAWN, "the requester", "it is no longer wanted"),
    Step(State.SENT_BACK, State.EXPIRED, "the clock", "nobody asked again in time"),
)
OPEN = (State.PENDING, State.SENT_BACK)


def may(source: str, target: str) -> bool:
    """Whether a ticket may go from one state to the other."""
    return any((step.source, step.target) == (source, target) for step in STEPS)


def sources(target: State) -> tuple[State, ...]:
    """Where a step to this state begins."""
    return tuple(State(step.source) for step in STEPS if step.target == target and step.source != DRAFT)


def as_table() -> str:
    """The table for people, in Markdown."""
    lines = ["| from | to | by | when |", "| --- | --- | --- | --- |"]
    for step in STEPS:
        when = f"{step.sentence}; a new round of votes begins" if step.new_round else step.sentence
        lines.append(f"| {step.source.replace('_', ' ')} | {step.target.replace('_', ' ')} | {step.who} | {when} |")
    return "\n".join(lines)
