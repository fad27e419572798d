"""One's own notices: the list, opening one, marking read; and how one wants to be told."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST, require_safe

from access.models import Person
from approvals.notices import inbox, preferences
from approvals.notices.kinds import APP, CHOSEN, LOUD, WAYS
from approvals.notices.links import path_of
from console.errors import status_of
from console.pages.guards import require
from console.presenters.notices import choices, notice_row, way_labels
from foundation.actor import Actor
from foundation.errors import Denied, Invalid

PAGE = 25
TYPED = ("language", "chat_address", "quiet_from", "quiet_to", "zone")


@require_safe
def notice_list(request: HttpRequest) -> HttpResponse:
    """Newest first; pages go by key, with a tab for what is unread."""
    actor = require(request, "notice.browse")
    tab = "unread" if request.GET.get("tab") == "unread" else "all"
    found = inbox.of(actor)
    if tab == "unread":
        found = found.filter(read_at=None)
    after = request.GET.get("after", "")
    if after.isdigit() and len(after) < 19:
        found = found.filter(pk__lt=int(after))
    page = list(found[: PAGE + 1])
    names = names_of(notice.message.by_person_id for notice in page)
    context = {
        **admin.site.each_context(request),
        "title": _("Notices"),
        "rows": [notice_row(notice, names) for notice in page[:PAGE]],
        "tab": tab,
        "newest": page[0].pk if page else 0,
        "older": f"?tab={tab}&after={page[PAGE - 1].pk}" if len(page) > PAGE else "",
        "first": f"?tab={tab}" if after else "",
    }
    return render(request, "console/notices.html", context)


@require_GET
def open_notice(request: HttpRequest, notice_id: int) -> HttpResponse:
    """Go to what it is about; with that it is read."""
    actor = require(request, "notice.browse")
    notice = inbox.get(notice_id, actor)
    inbox.read(notice.pk, actor=actor)
    return redirect(path_of(notice.message))


@require_POST
def read(request: HttpRequest, notice_id: int) -> HttpResponse:
    """Mark one read without opening it."""
    actor = require(request, "notice.settle")
    inbox.read(notice_id, actor=actor)
    return redirect("admin:notices")


@require_POST
def read_all(request: HttpRequest) -> HttpResponse:
    """Mark read what was on the page and what is older."""
    actor = require(request, "notice.settle")
    newest = request.POST.get("newest", "")
    count = inbox.read_all(int(newest) if newest.isdigit() and len(newest) < 19 else 0, actor=actor)
    words = ngettext("%(count)s notice is read now.", "%(count)s notices are read now.", count)
    messages.success(request, words % {"count": count})
    return redirect("admin:notices")


@require_safe
def chosen(request: HttpRequest) -> HttpResponse:
    """A box per kind and way, the chat address, quiet hours, the language."""
    actor = require(request, "notice.browse")
    return render(request, "console/notice_settings.html", _chosen(request, actor))


@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Store it. What is wrong is said beside the form, which keeps what was typed."""
    actor = require(request, "notice.settle")
    typed = {name: request.POST.get(name, "").strip() for name in TYPED}
    ways = {kind.value: [way for way in request.POST.getlist(f"way-{kind}") if way in WAYS] for kind in CHOSEN}
    address = "" if request.POST.get("forget_chat") else typed["chat_address"] or None
    wanted = preferences.Wanted(ways=ways, **typed | {"chat_address": address})  # type: ignore[arg-type]
    try:
        preferences.choose(wanted, actor=actor)
    except (Invalid, Denied) as error:
        shown = {kind: frozenset(on) | ({APP} if kind in LOUD else set()) for kind, on in ways.items()}
        context = _chosen(request, actor) | {
            "choices": choices(shown),
            "typed": typed,
            "error": str(error),
            "wrong": error.facts.get("field", ""),
        }
        return render(request, "console/notice_settings.html", context, status=status_of(error))
    messages.success(request, _("Kept. It holds for what happens from now on."))
    return redirect("admin:notice-settings")


def names_of(persons: Any) -> dict[int, str]:
    """Names of persons by id, in one query."""
    wanted = {person for person in persons if person is not None}
    return dict(Person.objects.filter(pk__in=wanted).values_list("pk", "name")) if wanted else {}


def _chosen(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    stored = preferences.of(actor.person_id)
    quiet = {
        "quiet_from": f"{stored.quiet_from:%H:%M}" if stored and stored.quiet_from else "",
        "quiet_to": f"{stored.quiet_to:%H:%M}" if stored and stored.quiet_to else "",
    }
    return {
        **admin.site.each_context(request),
        "title": _("How you are told"),
        "labels": list(way_labels().values()),
        "choices": choices({kind.value: preferences.ways_of(stored, kind) for kind in CHOSEN}),
        "chat_hint": stored.chat_hint if stored else "",
        "schemas": ", ".join(f"{one}://" for one in settings.CUSTODY_CHAT_SCHEMAS),
        "has_email": settings.CUSTODY_EMAIL,
        "languages": settings.LANGUAGES,
        "typed": {"language": stored.language if stored else "", "zone": stored.zone if stored else "UTC", **quiet},
    }
