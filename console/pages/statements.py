"""Statements on governed tables, newest first: where to find what a program outside did, and undo it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from access.enforcement import allowed
from audit import registry
from audit.errors import UnknownEntity
from audit.models import Event
from console.pages.guards import require
from console.pages.labels import plural
from console.presenters.impact import capital
from console.presenters.statement import Line, line
from foundation.actor import Actor

PAGE = 50


@require_safe
def statements(request: HttpRequest) -> HttpResponse:
    """?entity= one table, ?outside=1 only what neither a change nor the console wrote, ?before= pages on."""
    actor = require(request, "history.browse", "*")
    entity, outside = _entity(request), request.GET.get("outside") == "1"
    rows = _found(request, actor, entity, outside)
    query = request.GET.copy()
    if len(rows) > PAGE:
        query["before"] = str(rows[PAGE - 1].pk)
    context = {
        **admin.site.each_context(request),
        "title": _("Statements"),
        "rows": [_line(actor, event) for event in rows[:PAGE]],
        "older": f"?{query.urlencode()}" if len(rows) > PAGE else "",
        "entity": entity,
        "outside": outside,
        "tables": [(one._meta.label_lower, capital(plural(one._meta.label_lower))) for one in registry.entities()],
    }
    return render(request, "console/statements.html", context)


def _entity(request: HttpRequest) -> str:
    try:
        return str(registry.entity(request.GET.get("entity", ""))._meta.label_lower)
    except UnknownEntity:
        return ""


def _found(request: HttpRequest, actor: Actor, entity: str, outside: bool) -> list[Event]:
    rows: Any = Event.objects.filter(tenant_id=actor.tenant_id).exclude(operation=Event.Operation.ACT)
    if entity:
        rows = rows.filter(entity=entity)
    if outside:
        rows = rows.filter(channel="sql", change_id__isnull=True)
    before = request.GET.get("before", "")
    if before.isdigit() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    return list(rows.defer("before_state", "facts").order_by("-pk")[: PAGE + 1])


def _line(actor: Actor, event: Event) -> Line:
    return line(event, label=plural, undoable=allowed(actor, "change.undo", event.entity))
