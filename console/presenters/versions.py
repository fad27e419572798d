"""One version of a record in words: what happened, to which fields, by whom, from where. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from console.presenters.states import Pill
from console.presenters.words import number

NAMES_SHOWN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFacts:
    """A historical row and the statement that made it."""

    id: int
    type: str
    at: datetime
    who: str = ""
    channel: str = ""
    login: str = ""
    program: str = ""
    ip: str | None = None
    reason: str = ""
    change_id: int | None = None
    changed: Sequence[str] = ()
    deleted: bool = False
    was_deleted: bool = False
    rows: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One line of the timeline and the head of its detail. `outside` marks a writer that is no person here."""

    id: str
    kind: str
    pill: Pill
    icon: str
    at: datetime
    who: str
    outside: bool
    source: str
    fields: str
    reason: str
    more: str


def version(facts: VersionFacts) -> Version:
    """Put a version into words."""
    kind = _kind(facts)
    pill, icon = _pills()[kind]
    outside = facts.channel in ("", "sql")
    return Version(
        id=str(facts.id),
        kind=kind,
        pill=pill,
        icon=icon,
        at=facts.at,
        who=_("SQL: %(login)s") % {"login": facts.login or facts.who or "?"} if outside else facts.who,
        outside=outside,
        source=source(facts.channel, facts.program, facts.ip),
        fields=_fields(facts, kind),
        reason=facts.reason,
        more=_("+%(count)s rows") % {"count": number(facts.rows - 1)} if facts.rows > 1 else "",
    )


def _kind(facts: VersionFacts) -> str:
    if facts.type == "+":
        return "create"
    if facts.type == "-":
        return "remove"
    if facts.deleted and not facts.was_deleted:
        return "delete"
    if facts.was_deleted and not facts.deleted:
        return "restore"
    return "change"


def _pills() -> dict[str, tuple[Pill, str]]:
    return {
        "create": (Pill(pgettext("version", "created"), "ok", "plus"), "plus"),
        "change": (Pill(_("changed"), "acc", "pencil"), "pencil"),
        "delete": (Pill(_("deleted"), "bad", "trash"), "trash"),
        "restore": (Pill(_("brought back"), "warn", "restore"), "restore"),
        "remove": (Pill(_("removed for good"), "bad", "bad"), "bad"),
    }


def _fields(facts: VersionFacts, kind: str) -> str:
    """The names of what changed: two, and how many more."""
    if kind in ("create", "remove", "delete", "restore"):
        return _("whole row")
    names = ", ".join(facts.changed[:NAMES_SHOWN])
    rest = len(facts.changed) - NAMES_SHOWN
    if not names:
        return _("nothing that is recorded")
    if rest <= 0:
        return names
    return ngettext("%(names)s and %(count)d more", "%(names)s and %(count)d more", rest) % {
        "names": names,
        "count": rest,
    }


def source(channel: str, program: str, ip: str | None = None) -> str:
    """Where a statement came from."""
    words = {
        "page": _("the console"),
        "api": _("the API"),
        "shell": _("a program"),
        "task": _("a worker"),
        "sql": program or _("direct SQL"),
    }
    text = words.get(channel, channel or _("unknown"))
    return f"{text} · {ip}" if ip else text
