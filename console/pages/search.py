"""The search of the top bar: jumps straight when exactly one thing matches."""

from __future__ import annotations

import re

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from access.enforcement import allowed
from access.openness import declared_open
from audit import registry
from audit.errors import UnknownEntity
from changes.models import Change
from console.pages import inbox
from console.pages.shell import actor_of

LIMIT = 25
TICKET, CHANGE = re.compile(r"[Tt]-?(\d{1,18})"), re.compile(r"[Cc]-?(\d{1,18})")
RECORD, DIGEST = re.compile(r"([a-z_]\w*\.\w+)[\s/]+(\S+)"), re.compile(r"[0-9a-f]{8,64}")


@declared_open("needs a login; finds only what the policy lets its reader open.")
@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """A ticket, a change, a record by table and key, a fingerprint, or words of a title and names of people."""
    text = request.GET.get("q", "").strip().replace("\x00", "")[:200]
    record = _record(text)
    if record is not None and allowed(actor_of(request), "history.browse", record[0]):
        return redirect("admin:history", label=record[0], key=record[1])
    found = list(_changes(text)[:LIMIT]) if text and allowed(actor_of(request), "change.browse") else []
    exact = TICKET.fullmatch(text) or CHANGE.fullmatch(text) or DIGEST.fullmatch(text)
    if exact and len(found) == 1:
        return redirect(inbox.url(found[0]))
    context = {
        **admin.site.each_context(request),
        "title": _("Search"),
        "q": text,
        "rows": inbox.rows(found),
        "lists": _lists(request, text),
    }
    return render(request, "console/search.html", context)


def _changes(text: str) -> QuerySet[Change]:
    changes = inbox.changes()
    if ticket := TICKET.fullmatch(text):
        return changes.filter(ticket__pk=int(ticket[1]))
    if change := CHANGE.fullmatch(text):
        return changes.filter(pk=int(change[1]))
    if DIGEST.fullmatch(text.replace("·", "")):
        return changes.filter(digest__startswith=text.replace("·", ""))
    return changes.filter(title__icontains=text) | changes.filter(requester_name__icontains=text)


def _record(text: str) -> tuple[str, str] | None:
    """`shop.order 1001` as label and key, if there is such a table."""
    found = RECORD.fullmatch(text)
    if found is None:
        return None
    try:
        registry.entity(found[1])
    except UnknownEntity:
        return None
    return found[1], found[2]


def _lists(request: HttpRequest, text: str) -> list[tuple[str, str]]:
    """The same words in the lists the person may open: a link each, nothing is searched yet."""
    if not text or not allowed(actor_of(request), "entity.browse"):
        return []
    found = []
    for entity in registry.entities():
        if admin.site.is_registered(entity):
            url = reverse(f"admin:{entity._meta.app_label}_{entity._meta.model_name}_changelist")
            found.append((str(entity.governance.label), url))
    return found
