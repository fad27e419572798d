"""Lines of an activity list: recorded acts and facts put into the reader's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event; tone is person, ok, bad or empty for the system's own.

    `earlier` are wordings of a comment before the last, each with its time; `comment_id` names one the viewer may edit.
    """

    who: str
    what: str
    at: datetime
    quote: str = ""
    tone: str = ""
    icon: str = "bot"
    earlier: tuple[tuple[str, str], ...] = ()
    comment_id: int | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """How one kind of act is told; `system` acts are not anybody's."""

    tone: str
    icon: str
    text: str
    system: bool = False


def line(*, act: str, who: str, at: datetime, facts: Mapping[str, Any] | None = None) -> Line:
    """The line of one recorded act."""
    known = facts or {}
    words = _words(act, known)
    return Line(
        who=_("System") if words.system or not who else who,
        what=words.text,
        at=at,
        quote=str(known.get("reason") or known.get("error") or ""),
        tone=words.tone,
        icon=words.icon,
    )


def _words(act: str, facts: Mapping[str, Any]) -> Words:
    if act == "change.cancelled" and "applied" in facts:
        return Words("", "stop", _("stopped the change"), True)
    if act == "change.cleared":
        by_threshold = facts.get("by") == "threshold"
        text = (
            _("cleared the change: few enough rows to need no approval")
            if by_threshold
            else _("made the change ready to start")
        )
        return Words("", "play", text, True)
    words = {
        "asked": Words("person", "user", _("asked for this")),
        "change.frozen": Words("", "fp", _("froze the selection"), True),
        "ticket.opened": Words("", "ticket", _("opened the ticket"), True),
        "ticket.vote": Words("ok", "ok", _("approved")),
        "ticket.approved": Words("ok", "ok", _("counted enough approvals"), True),
        "ticket.rejected": Words("bad", "bad", _("rejected")),
        "ticket.sent_back": Words("bad", "pencil", _("sent it back to be put another way")),
        "ticket.asked_again": Words("person", "user", _("edited it and asked again: a new round of votes")),
        "ticket.withdrawn": Words("person", "x", _("withdrew the ticket")),
        "ticket.expired": Words("", "time", _("closed the ticket: nobody had decided in time"), True),
        "change.started": Words("person", "play", _("started the change")),
        "change.paused": Words("person", "pause", _("paused the change after the batch in hand")),
        "change.cancelled": Words("person", "stop", _("asked to stop after the batch in hand")),
        "change.resumed": Words("person", "play", _("let the change go on")),
        "change.held": Words("", "pause", _("paused the change by itself"), True),
        "change.reopened": Words("", "play", _("let the change go on: its window is open"), True),
        "change.tuned": Words("person", "pencil", _("set another pace")),
        "change.watched": Words("", "time", _("finished the trial and watches it"), True),
        "change.canary_passed": Words("ok", "ok", _("found nothing wrong with the trial"), True),
        "change.taking_back": Words("bad", "undo", _("takes the rows of the trial back"), True),
        "ticket.reopened": Words("", "ticket", _("sent it back to voting: too many rows have changed"), True),
        "change.done": Words("ok", "ok", _("finished and verified the change"), True),
        "ROLLED_BACK": Words("ok", "undo", _("brought the tables back to that state"), True),
        "change.failed": Words("bad", "bad", _("could not go on"), True),
        "change.discarded": Words("", "x", _("called the change off")),
    }
    return words.get(act, Words("", "info", act))


@dataclass(frozen=True, slots=True)
class News:
    """A line of a short list: a sentence around the code of the ticket or change, which is a link."""

    before: str
    code: str
    after: str
    url: str
    at: datetime


def news(*, act: str, who: str, code: str, url: str, at: datetime) -> News:
    """The act as one sentence."""
    sentences = {
        "change.frozen": _("%(who)s asked for %(code)s"),
        "ticket.vote": _("%(who)s approved %(code)s"),
        "ticket.rejected": _("%(who)s rejected %(code)s"),
        "ticket.sent_back": _("%(who)s sent %(code)s back"),
        "ticket.asked_again": _("%(who)s asked for %(code)s again"),
        "ticket.withdrawn": _("%(who)s withdrew %(code)s"),
        "ticket.expired": _("%(code)s expired undecided"),
        "change.started": _("%(who)s started %(code)s"),
        "change.paused": _("%(who)s paused %(code)s"),
        "change.resumed": _("%(who)s let %(code)s go on"),
        "change.done": _("%(code)s is done and verified"),
        "change.failed": _("%(code)s could not go on"),
    }
    sentence = sentences.get(act, "%(who)s %(code)s")
    before, _code, after = (sentence % {"who": who, "code": "\x00"}).partition("\x00")
    return News(before, code, after, url, at)
