"""What a message says, in the language in force: a subject and one sentence. For the inbox, e-mails and chat alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from approvals.notices.kinds import Kind
from approvals.notices.models import Message
from audit import registry
from audit.errors import UnknownEntity
from changes.operations import REGISTRY
from changes.states import Held


@dataclass(frozen=True, slots=True)
class Said:
    """A subject in one line, and what there is to do about it."""

    subject: str
    text: str


def say(message: Message) -> Said:
    """The words of one message."""
    facts = {
        "code": code_of(message),
        "title": title_of(message),
        "have": message.facts.get("have", 0),
        "need": message.facts.get("need", 0),
        "hours": message.facts.get("hours", 0),
        "applied": f"{message.facts.get('applied', 0):,}",
        "skipped": f"{message.facts.get('skipped', 0):,}",
        "round": message.facts.get("round", 1),
    }
    subject, text = _WORDS[Kind(message.kind)](message.facts)
    return Said(subject % facts, text % facts)


def code_of(message: Message) -> str:
    """T-12, C-12, or nothing."""
    if message.ticket_id is not None:
        return f"T-{message.ticket_id}"
    return f"C-{message.change_id}" if message.change_id is not None else "Custody"


def title_of(message: Message) -> str:
    """What the requester called it; without a title: what it does to how many rows of which table."""
    if message.title or not message.entity:
        return message.title
    kind = REGISTRY.get(message.facts.get("operation", ""))
    return _("%(operation)s: %(rows)s %(entity)s") % {
        "operation": kind.label if kind is not None else message.facts.get("operation", ""),
        "rows": f"{message.facts.get('rows', 0):,}",
        "entity": _table(message.entity),
    }


def _table(label: str) -> str:
    try:
        return str(registry.entity(label).governance.label)
    except UnknownEntity:
        return label


def _voted(facts: dict[str, Any]) -> tuple[str, str]:
    return (
        _("%(code)s has %(have)s of %(need)s approvals: %(title)s"),
        _("Somebody has approved. More approvals are needed."),
    )


def _expiring(facts: dict[str, Any]) -> tuple[str, str]:
    hours = int(facts.get("hours", 0))
    return (
        ngettext(
            "%(code)s expires within %(hours)s hour: %(title)s",
            "%(code)s expires within %(hours)s hours: %(title)s",
            hours,
        ),
        _("Nobody has decided yet. What expires has to be asked for anew."),
    )


def _waiting(facts: dict[str, Any]) -> tuple[str, str]:
    why = {Held.SCHEMA: _("Its table has changed."), Held.CANARY: _("Its trial needs a look.")}
    text = why.get(facts.get("why", ""), _("It holds itself."))
    return _("%(code)s waits for a person: %(title)s"), text + " " + _("Look, then let it go on or stop it.")


def _ended(facts: dict[str, Any]) -> tuple[str, str]:
    text = ngettext(
        "%(applied)s row changed, %(skipped)s left alone.",
        "%(applied)s rows changed, %(skipped)s left alone.",
        int(facts.get("applied", 0)),
    )
    return _("%(code)s is done: %(title)s"), text


def _stopped(facts: dict[str, Any]) -> tuple[str, str]:
    text = ngettext(
        "%(applied)s row changed before it stopped.",
        "%(applied)s rows changed before it stopped.",
        int(facts.get("applied", 0)),
    )
    return _("%(code)s was stopped: %(title)s"), text


_WORDS: dict[Kind, Callable[[dict[str, Any]], tuple[str, str]]] = {
    Kind.TICKET_PENDING: lambda facts: (
        _("%(code)s waits for your decision: %(title)s"),
        _("Look at the rows and the checks, then approve or reject."),
    ),
    Kind.TICKET_VOTED: _voted,
    Kind.TICKET_APPROVED: lambda facts: (
        _("%(code)s is approved: %(title)s"),
        _("Approving starts nothing: you or another operator starts it."),
    ),
    Kind.TICKET_REJECTED: lambda facts: (
        _("%(code)s is rejected: %(title)s"),
        _("The reason stands on the ticket. Nothing was changed."),
    ),
    Kind.TICKET_REOPENED: lambda facts: (
        _("%(code)s is back to voting: %(title)s"),
        _("Too many rows have changed since it was frozen. Round %(round)s: earlier votes no longer count."),
    ),
    Kind.TICKET_WITHDRAWN: lambda facts: (
        _("%(code)s is withdrawn: %(title)s"),
        _("Whoever asked has taken it back. There is nothing to decide."),
    ),
    Kind.TICKET_EXPIRING: _expiring,
    Kind.TICKET_EXPIRED: lambda facts: (
        _("%(code)s has expired: %(title)s"),
        _("Nobody decided in time. Nothing was changed; ask anew."),
    ),
    Kind.RUN_DONE: _ended,
    Kind.RUN_STOPPED: _stopped,
    Kind.RUN_FAILED: lambda facts: (
        _("%(code)s has failed: %(title)s"),
        _("It cannot go on by itself. The page says why and what you can do."),
    ),
    Kind.RUN_WAITING: _waiting,
    Kind.MENTIONED: lambda facts: (
        _("You are mentioned in %(code)s: %(title)s"),
        _("The comment stands on the ticket."),
    ),
    Kind.WATCHED_MOVED: lambda facts: (
        _("%(code)s, which you watch, has moved: %(title)s"),
        _("The page shows where it stands."),
    ),
    Kind.REMINDER: lambda facts: (
        _("%(code)s still waits for your decision: %(title)s"),
        _("Look at the rows and the checks, then approve or reject."),
    ),
    Kind.ESCALATION: lambda facts: (
        _("%(code)s is escalated to you: %(title)s"),
        _("Those who were asked first have not decided."),
    ),
    Kind.DELEGATED: lambda facts: (
        _("%(code)s is delegated to you: %(title)s"),
        _("You decide in somebody's place. The ticket says in whose."),
    ),
    Kind.BREAK_GLASS: lambda facts: (
        _("Somebody breaks glass: %(code)s, %(title)s"),
        _("It runs without the approvals it would need. Look at it now."),
    ),
    Kind.AFTER_REVIEW_DUE: lambda facts: (
        _("%(code)s waits for its review: %(title)s"),
        _("Glass was broken. Other persons have to close the review."),
    ),
    Kind.RULE_CHANGED: lambda facts: (
        _("A rule has changed"),
        _("What needs how many approvals is no longer as it was."),
    ),
    Kind.TEST: lambda facts: (
        _("A test from Custody"),
        _("Somebody wanted to see whether messages arrive here. There is nothing to do."),
    ),
}
