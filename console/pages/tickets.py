"""The list of tickets, the page of one, and its decisions."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from approvals import decisions, gate, tickets
from approvals.models import Vote
from console.errors import status_of
from console.pages import detail, inbox
from console.pages.guards import require
from console.pages.shell import actor_of
from foundation.errors import Conflict, Invalid

PAGE = 25
SEND_BACK = "send_back"


@dataclass(frozen=True, slots=True)
class Tab:
    name: str
    text: str
    count: int
    current: bool
    empty: str


@require_safe
def ticket_list(request: HttpRequest) -> HttpResponse:
    """Five tabs, each with its count; pages go by key."""
    actor = require(request, "change.browse")
    conditions, counts = inbox.tabs(actor), inbox.counts(actor)
    wanted = request.GET.get("tab", "")
    name = wanted if wanted in conditions else "waiting" if counts["waiting"] else "open"
    found = inbox.changes().filter(conditions[name])
    after = request.GET.get("after", "")
    if after.isdigit() and len(after) < 19:
        found = found.filter(pk__lt=int(after))
    page = list(found[: PAGE + 1])
    context = {
        **admin.site.each_context(request),
        "title": _("Tickets"),
        "tabs": _tabs(counts, name),
        "tab": name,
        "rows": inbox.rows(page[:PAGE]),
        "older": f"?tab={name}&after={page[PAGE - 1].pk}" if len(page) > PAGE else "",
        "first": f"?tab={name}" if after else "",
    }
    return render(request, "console/tickets.html", context)


def _tabs(counts: dict[str, int], current: str) -> list[Tab]:
    words = {
        "waiting": (_("Waiting for me"), _("Nothing is waiting for you.")),
        "mine": (_("Mine"), _("You have asked for nothing yet.")),
        "open": (_("All open"), _("No ticket is open.")),
        "done": (_("Done"), _("Nothing has been done yet.")),
        "closed": (_("Rejected and expired"), _("No ticket was rejected, withdrawn or left to expire.")),
    }
    return [Tab(name, text, counts[name], name == current, empty) for name, (text, empty) in words.items()]


@require_safe
def ticket(request: HttpRequest, ticket_id: int) -> HttpResponse:
    """Everything about one decision and its change."""
    require(request, "change.browse")
    return render(request, "console/change.html", detail.page(request, tickets.get(ticket_id).change))


@require_POST
def vote(request: HttpRequest, ticket_id: int) -> HttpResponse:
    """Approve, reject or send back what the person saw. What moved meanwhile is answered with the panel drawn anew."""
    actor = actor_of(request)
    decision, reason = request.POST.get("decision", ""), request.POST.get("reason", "")
    seen = request.POST.get("digest", "")
    try:
        if decision == SEND_BACK:
            decided = decisions.send_back(ticket_id, actor=actor, digest=seen, reason=reason)
        else:
            decided = decisions.vote(ticket_id, actor=actor, decision=decision, digest=seen, reason=reason)
    except (Conflict, Invalid) as error:
        return _again(request, ticket_id, error, reason)
    if decision == SEND_BACK:
        messages.success(request, _("Sent back. Whoever asked reads what has to change."))
    elif decision == Vote.Decision.REJECT:
        messages.success(request, _("Rejected. Nothing will be changed."))
    elif decided.state == decided.State.APPROVED:
        messages.success(request, _("Approved. An operator can start it now."))
    else:
        messages.success(request, _("Your approval counts. Another one is needed."))
    return _to(request, reverse("admin:ticket", args=[ticket_id]))


def _again(request: HttpRequest, ticket_id: int, error: Conflict | Invalid, reason: str) -> HttpResponse:
    """The same page or panel with the typed reason kept: 409 for what moved, 422 for what is missing."""
    change = tickets.get(ticket_id).change
    context = detail.page(request, change) | {"typed": reason}
    context["problem" if isinstance(error, Invalid) else "moved"] = str(error)
    template = "console/parts/panel.html" if "HX-Request" in request.headers else "console/change.html"
    return render(request, template, context, status=status_of(error))


@require_POST
def withdraw(request: HttpRequest, ticket_id: int) -> HttpResponse:
    """Take back one's own ticket."""
    try:
        tickets.withdraw(ticket_id, actor=actor_of(request), reason=request.POST.get("reason", ""))
        messages.success(request, _("Withdrawn. Nothing will be changed."))
    except Conflict as error:
        messages.error(request, str(error))
    return redirect("admin:ticket", ticket_id=ticket_id)


@require_POST
def ask_again(request: HttpRequest, ticket_id: int) -> HttpResponse:
    """Ask once more for what was sent back, in other words. Rows and options are edited in the three steps."""
    title, reason = request.POST.get("title", ""), request.POST.get("reason", "")
    try:
        gate.ask_again(ticket_id, actor=actor_of(request), title=title, reason=reason)
    except (Conflict, Invalid) as error:
        context = detail.page(request, tickets.get(ticket_id).change)
        if context["retold"]:
            context["retold"] |= {"title": title, "reason": reason, "problem": str(error)}
        return render(request, "console/change.html", context, status=status_of(error))
    messages.success(request, _("Frozen anew and asked for again."))
    return redirect("admin:ticket", ticket_id=ticket_id)


def _to(request: HttpRequest, url: str) -> HttpResponse:
    """A redirect that htmx follows with the whole page."""
    if "HX-Request" in request.headers:
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)
