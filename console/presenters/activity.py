"""Lines of an activity list: recorded codes and facts put into the reader's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event; tone is person, ok, bad or empty for the system's own."""

    who: str
    what: str
    at: datetime
    quote: str = ""
    tone: str = ""
    icon: str = "bot"


def line(*, kind: str, who: str, at: datetime, facts: Mapping[str, Any]) -> Line:
    """The line of one recorded event."""
    tone, icon, what = _words(kind)
    return Line(
        who=who or _("System"),
        what=what % _Known(facts),
        at=at,
        quote=str(facts.get("reason") or facts.get("text") or ""),
        tone=tone,
        icon=icon,
    )


class _Known(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "–"


def _words(kind: str) -> tuple[str, str, str]:
    words = {
        "asked": ("person", "user", _("asked for this")),
        "frozen": ("", "fp", _("froze the selection")),
        "opened": ("", "ticket", _("opened the ticket")),
        "approve": ("ok", "ok", _("approved")),
        "reject": ("bad", "bad", _("rejected")),
        "approved": ("ok", "ok", _("recorded enough approvals")),
        "withdrawn": ("person", "x", _("withdrew the ticket")),
        "expired": ("", "time", _("closed the ticket: nobody had decided in time")),
        "cleared": ("", "play", _("made the change ready to start")),
        "started": ("person", "play", _("started the change")),
        "cancelled": ("person", "stop", _("asked to stop after the batch in hand")),
        "finished": ("ok", "ok", _("finished and verified the change")),
        "stopped": ("", "stop", _("stopped the change")),
        "failed": ("bad", "bad", _("could not go on")),
        "undo_asked": ("person", "undo", _("asked to undo the change")),
    }
    return words.get(kind, ("", "info", kind.replace("%", "%%")))
