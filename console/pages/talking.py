"""The conversation on a ticket's page: its activity with comments among it, the box to write one, the watch button."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from access.enforcement import allowed
from approvals import commenting, watching
from approvals.models import Comment, Ticket
from console.pages.guards import require
from console.presenters import activity
from console.presenters.words import moment
from foundation.actor import Actor
from foundation.errors import Conflict, Invalid

EDITABLE = timedelta(minutes=5)
# They are shown as what was said, not as the fact that something was.
ACTS = ("ticket.commented", "ticket.comment_edited")


def conversation(ticket: Ticket | None, actor: Actor) -> dict[str, Any]:
    """What the viewer may do: write, watch."""
    if ticket is None:
        return {}
    watchers = watching.persons(ticket)
    return {
        "may_comment": allowed(actor, "ticket.comment") and actor.person_id is not None,
        "may_watch": allowed(actor, "ticket.watch") and actor.person_id is not None,
        "watches": actor.person_id in watchers,
        "watchers": ", ".join(watchers.values()),
        "comment_most": commenting.LONGEST,
    }


def lines(ticket: Ticket | None, actor: Actor) -> list[activity.Line]:
    """A line per comment in its last wording, with the earlier ones folded."""
    if ticket is None:
        return []
    written = list(ticket.comments.order_by("pk"))
    edits: dict[int, list[Comment]] = {}
    for one in written:
        if one.edit_of_id is not None:
            edits.setdefault(one.edit_of_id, []).append(one)
    return [_line(one, edits.get(one.pk, []), actor) for one in written if one.edit_of_id is None]


def in_order(*kinds: Iterable[activity.Line]) -> list[activity.Line]:
    """All lines by their time, oldest first."""
    return sorted((line for kind in kinds for line in kind), key=lambda line: line.at)


def _line(first: Comment, edits: list[Comment], actor: Actor) -> activity.Line:
    wordings = [first, *edits]
    mine = first.person_id == actor.person_id and timezone.now() < first.created_at + EDITABLE
    return activity.Line(
        who=first.name,
        what=_("commented") if not edits else _("commented (edited)"),
        at=first.created_at,
        quote=wordings[-1].text,
        tone="person",
        icon="user",
        earlier=tuple((moment(one.created_at), one.text) for one in wordings[:-1]),
        comment_id=first.pk if mine else None,
    )


@require_POST
def comment(request: HttpRequest, ticket_id: int) -> HttpResponse:
    """Say something beside a ticket."""
    actor = require(request, "ticket.comment", f"T-{ticket_id}")
    try:
        commenting.comment(ticket_id, actor=actor, text=request.POST.get("text", ""))
    except Invalid as error:
        messages.error(request, str(error))
    return redirect("admin:ticket", ticket_id=ticket_id)


@require_POST
def edit(request: HttpRequest, ticket_id: int, comment_id: int) -> HttpResponse:
    """Put one's own comment another way."""
    actor = require(request, "ticket.comment", f"T-{ticket_id}")
    try:
        commenting.edit(comment_id, actor=actor, text=request.POST.get("text", ""))
    except (Conflict, Invalid) as error:
        messages.error(request, str(error))
    return redirect("admin:ticket", ticket_id=ticket_id)


@require_POST
def watch(request: HttpRequest, ticket_id: int) -> HttpResponse:
    """Watch, or stop watching, as the button said."""
    verb = watching.unwatch if request.POST.get("watch") == "0" else watching.watch
    verb(ticket_id, actor=require(request, "ticket.watch", f"T-{ticket_id}"))
    return redirect("admin:ticket", ticket_id=ticket_id)
