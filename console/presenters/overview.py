"""The overview's figures and sentences. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from console.presenters.notes import Note
from console.presenters.words import moment, number

SILENT_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that is a link."""

    value: str
    text: str
    url: str


def figures(*, waiting: int, running: int, deleted: int | None, undoable: int) -> tuple[Figure, ...]:
    """Four numbers; an unknown one is a dash, never a zero."""
    tickets = reverse("admin:tickets")
    return (
        Figure(number(waiting), _("waiting for you"), f"{tickets}?tab=waiting"),
        Figure(number(running), _("running"), "#h-r"),
        Figure(number(deleted), _("rows deleted today"), "#h-h"),
        Figure(number(undoable), _("can still be undone"), f"{tickets}?tab=done"),
    )


def greeting(name: str, now: datetime) -> str:
    """By the server's clock, with the first name as the person writes it."""
    hour = timezone.localtime(now).hour
    first = {"name": name.split(" ", maxsplit=1)[0] if name.isascii() else name}
    if 5 <= hour < 12:
        return _("Good morning, %(name)s") % first
    if 12 <= hour < 18:
        return _("Good afternoon, %(name)s") % first
    return _("Good evening, %(name)s") % first


def worker_note(heartbeat: datetime | None, *, now: datetime) -> Note | None:
    """A red strip when no worker answers: running changes stand still then."""
    text = _("Running changes do not move until it comes back.")
    if heartbeat is None:
        return Note("bad", "bad", _("No worker has answered yet."), text)
    if now - heartbeat > SILENT_AFTER:
        return Note("bad", "bad", _("The worker has not answered since %(time)s.") % {"time": moment(heartbeat)}, text)
    return None
