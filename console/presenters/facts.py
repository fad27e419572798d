"""The facts card of a change: label and value, nothing that stands elsewhere on the page. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from console.presenters.rules import stages_words
from console.presenters.words import moment, number


@dataclass(frozen=True, slots=True)
class Fact:
    """One line; `due` marks a time that is near or past."""

    label: str
    text: str
    due: bool = False


def facts(change: Any, ticket: Any | None, *, entity: str, chunk: int) -> tuple[Fact, ...]:
    """Read a change's and a ticket's plain attributes."""
    found = [
        Fact(_("Table"), entity),
        Fact(_("Asked by"), change.requester_name),
        Fact(_("Asked"), moment(change.created_at)),
        Fact(_("Asked through"), _channel(change.channel)),
    ]
    if change.frozen_at:
        found.append(Fact(_("Frozen"), moment(change.frozen_at)))
    if ticket is not None:
        found.append(Fact(_("Approvals needed"), _asked(ticket)))
        found.append(
            Fact(
                _("Expires") if ticket.state == "pending" else _("Decided"),
                moment(ticket.expires_at if ticket.state == "pending" else ticket.decided_at),
            )
        )
    if change.started_at:
        found.append(Fact(_("Started by"), change.started_by or "–"))
        found.append(Fact(_("Started"), moment(change.started_at)))
    if change.finished_at:
        found.append(Fact(_("Finished"), moment(change.finished_at)))
    found.append(Fact(_("Rows in a batch"), number(chunk)))
    return tuple(found)


def _channel(channel: str) -> str:
    words = {"page": _("the console"), "api": _("the API"), "shell": _("a program"), "task": _("a schedule")}
    return words.get(channel, channel)


def _asked(ticket: Any) -> str:
    """“1 of security, then 2 of approver”; a plain number where approvers alone decide."""
    stages = ticket.rule.get("stages") or []
    if {stage["group"] for stage in stages} <= {"approver"}:
        return str(ticket.required)
    return stages_words(stages, ordered=bool(ticket.rule.get("ordered")))
