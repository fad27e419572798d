"""Legal holds: who placed which, on what; placing one, lifting another person's."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from access.enforcement import allowed
from audit import registry
from changes.holds import placing
from changes.holds.models import Hold
from console.errors import status_of
from console.pages.guards import require
from console.pages.labels import plural
from console.pages.shell import actor_of
from console.presenters.impact import capital
from foundation.errors import Conflict, Denied, Invalid

PAGE = 25
FIELDS = ("name", "matter", "reason", "scope", "entity", "keys")


@require_safe
def hold_list(request: HttpRequest) -> HttpResponse:
    """Newest first, with the form of those who may place one; pages go by key."""
    require(request, "hold.browse")
    return render(request, "console/holds.html", _page(request))


@require_POST
def place(request: HttpRequest) -> HttpResponse:
    """Place one. What is missing or wrong is said beside the form, which keeps what was typed."""
    actor = require(request, "hold.place")
    typed = {name: request.POST.get(name, "") for name in FIELDS}
    try:
        made = placing.place(_terms(typed), actor=actor)
    except (Invalid, Denied) as error:
        context = _page(request) | {"typed": typed, "error": str(error), "wrong": error.facts.get("field", "")}
        return render(request, "console/holds.html", context, status=status_of(error))
    messages.success(request, _("Hold %(code)s stands: no change touches these rows.") % {"code": str(made)})
    return redirect("admin:holds")


@require_POST
def lift(request: HttpRequest, hold_id: int) -> HttpResponse:
    """End what somebody else placed."""
    try:
        placing.lift(hold_id, actor=actor_of(request), reason=request.POST.get("reason", ""))
        messages.success(request, _("Lifted. Changes may touch these rows again."))
    except (Conflict, Invalid) as error:
        messages.error(request, str(error))
    return redirect("admin:holds")


def _terms(typed: dict[str, str]) -> placing.Terms:
    keys = [part for part in re.split(r"[\s,;]+", typed["keys"]) if part]
    composite = typed["scope"] == Hold.Scope.ROWS and registry.entity(typed["entity"])._meta.is_composite_pk
    listed: list[Any] = [key.split("/") for key in keys] if composite else list(keys)
    rest = {name: typed[name] for name in ("name", "matter", "reason", "scope", "entity")}
    return placing.Terms(**rest, selection={"keys": listed} if typed["scope"] == Hold.Scope.ROWS else None)


def _page(request: HttpRequest) -> dict[str, Any]:
    actor = actor_of(request)
    found = Hold.objects.order_by("-pk")
    after = request.GET.get("after", "")
    if after.isdigit() and len(after) < 19:
        found = found.filter(pk__lt=int(after))
    rows = list(found[: PAGE + 1])
    may_lift = allowed(actor, "hold.lift")
    return {
        **admin.site.each_context(request),
        "title": _("Legal holds"),
        "rows": [
            {
                "hold": row,
                "what": capital(plural(row.entity)) if row.entity else _("every table"),
                "may_lift": may_lift and row.lifted_at is None and row.placed_person_id != actor.person_id,
            }
            for row in rows[:PAGE]
        ],
        "older": f"?after={rows[PAGE - 1].pk}" if len(rows) > PAGE else "",
        "first": "?" if after else "",
        "may_place": allowed(actor, "hold.place"),
        "entities": [(m._meta.label_lower, capital(str(m.governance.label))) for m in registry.entities()],
        "scopes": Hold.Scope.choices,
        "typed": {},
    }
