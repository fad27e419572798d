"""Exemptions: who may change more rows of a table than others, asked for, agreed to, withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any

from django.contrib import admin, messages
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from access.enforcement import allowed
from approvals import exemptions
from approvals.errors import BadExpiry, NotARowCount
from audit import registry
from audit.models import Exemption
from console.errors import status_of
from console.pages.guards import require
from console.pages.labels import plural
from console.pages.shell import actor_of
from console.presenters.impact import capital
from foundation.actor import Actor
from foundation.errors import Conflict, Denied, Invalid

PAGE = 25
FIELDS = ("entity", "role", "transaction_rows", "window_rows", "reason", "expires_on")


@require_safe
def exemption_list(request: HttpRequest) -> HttpResponse:
    """Newest first, with the form of those who may ask; pages go by key."""
    require(request, "exemption.browse")
    return render(request, "console/exemptions.html", _page(request))


@require_POST
def ask(request: HttpRequest) -> HttpResponse:
    """Ask for one. What is missing or wrong is said beside the form, which keeps what was typed."""
    actor = require(request, "exemption.request")
    typed = {name: request.POST.get(name, "") for name in FIELDS}
    try:
        exemptions.ask(_terms(typed), actor=actor)
    except (Invalid, Denied) as error:
        context = _page(request) | {"typed": typed, "error": str(error), "wrong": error.facts.get("field", "")}
        return render(request, "console/exemptions.html", context, status=status_of(error))
    messages.success(request, _("Asked. It is void until somebody else agrees."))
    return redirect("admin:exemptions")


@require_POST
def agree(request: HttpRequest, exemption_id: int) -> HttpResponse:
    """Agree to another person's question."""
    return _step(request, exemption_id, exemptions.agree, _("Agreed. It holds from now on."))


@require_POST
def withdraw(request: HttpRequest, exemption_id: int) -> HttpResponse:
    """End it at once."""
    return _step(request, exemption_id, exemptions.withdraw, _("Withdrawn. The login meets the limits again."))


def _step(request: HttpRequest, exemption_id: int, verb: Callable[..., Any], done: str) -> HttpResponse:
    try:
        verb(exemption_id, actor=actor_of(request))
        messages.success(request, done)
    except (Conflict, Invalid) as error:
        messages.error(request, str(error))
    return redirect("admin:exemptions")


def _terms(typed: dict[str, str]) -> exemptions.Terms:
    """What was typed, as terms; numbers and days that are none are refused by the verb, which names the field."""
    try:
        day = parse_date(typed["expires_on"])
    except ValueError:
        day = None
    if day is None:
        raise BadExpiry(field="expires_at")
    return exemptions.Terms(
        entity=typed["entity"],
        role=typed["role"].strip(),
        transaction_rows=_number(typed["transaction_rows"], "transaction_rows"),
        window_rows=_number(typed["window_rows"], "window_rows"),
        reason=typed["reason"],
        expires_at=datetime.combine(day, time(23, 59), UTC),
    )


def _number(text: str, field: str) -> int:
    plain = text.strip()
    if not plain.isascii() or not plain.isdigit() or not int(plain[:19]) > 0 or len(plain) > 18:
        raise NotARowCount(field=field)
    return int(plain)


def _page(request: HttpRequest) -> dict[str, Any]:
    actor = actor_of(request)
    found = Exemption.objects.annotate(now=Now()).order_by("-pk")
    after = request.GET.get("after", "")
    if after.isdigit() and len(after) < 19:
        found = found.filter(pk__lt=int(after))
    rows = list(found[: PAGE + 1])
    return {
        **admin.site.each_context(request),
        "title": _("Exemptions"),
        "rows": [_row(row, actor) for row in rows[:PAGE]],
        "older": f"?after={rows[PAGE - 1].pk}" if len(rows) > PAGE else "",
        "first": "?" if after else "",
        "may_request": allowed(actor, "exemption.request"),
        "entities": [(m._meta.label_lower, capital(str(m.governance.label))) for m in registry.entities()],
        "typed": {},
    }


def _row(row: Any, actor: Actor) -> dict[str, Any]:
    void = row.withdrawn_at is not None or row.expires_at <= row.now
    asked = row.agreed_at is None and not void
    words = (
        (_("withdrawn"), "off") if row.withdrawn_at else (_("expired"), "off") if void
        else (_("waiting for agreement"), "wait") if asked else (_("in force"), "good")
    )  # fmt: skip
    return {
        "exemption": row,
        "table": capital(plural(row.entity)),
        "state": words[0],
        "tone": words[1],
        "may_agree": asked and row.asked_person_id != actor.person_id and allowed(actor, "exemption.agree"),
        "may_withdraw": not void and allowed(actor, "exemption.withdraw"),
    }
