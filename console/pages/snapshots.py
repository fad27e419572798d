"""Snapshots: the list, taking one, the page of one."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access.enforcement import allowed
from audit import registry
from audit.errors import UnknownEntity
from audit.models import Snapshot
from audit.snapshots import state, taking
from audit.snapshots.errors import BadKeptUntil
from audit.snapshots.recorded import column_types, recorded
from console import snapshots
from console.errors import status_of
from console.pages.guards import require
from console.pages.labels import plural, table
from console.presenters.impact import capital
from console.presenters.snapshots import snapshot_row, table_row
from foundation.errors import Conflict, CustodyError, Invalid, NotFound, Unavailable

PAGE = 25
REFUSALS = (Conflict, Invalid, NotFound, Unavailable)


@require_safe
def snapshot_list(request: HttpRequest) -> HttpResponse:
    """Newest first, by kind; pages go by number."""
    actor = require(request, "snapshot.browse")
    kind = request.GET.get("kind", "")
    found = Snapshot.objects.prefetch_related("tables").order_by("-pk")
    if kind in Snapshot.Kind.values:
        found = found.filter(kind=kind)
    after = request.GET.get("after", "")
    if after.isdigit() and len(after) < 19:
        found = found.filter(pk__lt=int(after))
    page = list(found[: PAGE + 1])
    words = {"": _("All"), "named": _("Named"), "daily": _("Daily"), "before_run": _("Before a run")}
    context = {
        **admin.site.each_context(request),
        "title": _("Snapshots"),
        "tabs": [(name, text, name == kind) for name, text in words.items()],
        "rows": [snapshot_row(one, one.tables.all(), label=plural) for one in page[:PAGE]],
        "older": f"?kind={kind}&after={page[PAGE - 1].pk}" if len(page) > PAGE else "",
        "first": f"?kind={kind}" if after else "",
        "may_take": allowed(actor, "snapshot.take"),
    }
    return render(request, "console/snapshots.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def take(request: HttpRequest) -> HttpResponse:
    """A name and the tables; what is refused keeps what was typed."""
    actor = require(request, "snapshot.take")
    typed = {name: request.POST.get(name, "") for name in ("name", "note", "kept_until")}
    chosen = request.POST.getlist("entity") or request.GET.getlist("entity")
    error: CustodyError | None = None
    if request.method == "POST":
        try:
            kept_until = _day(typed["kept_until"])
            taken = snapshots.take(
                actor, name=typed["name"], entities=chosen, note=typed["note"][:4000], kept_until=kept_until
            )
            messages.success(request, _("Taken. It can be compared and looked at from now on."))
            return redirect("admin:snapshot", snapshot_id=taken.pk)
        except REFUSALS as refused:
            error = refused
    context = {
        **admin.site.each_context(request),
        "title": _("Take a snapshot"),
        "typed": typed,
        "tables": [
            (model._meta.label_lower, capital(str(model.governance.label)), table(model._meta.label_lower),
             model._meta.label_lower in chosen)
            for model in registry.entities()
        ],
        "error": str(error) if error else "",
        "error_field": error.facts.get("field", "") if error else "",
        "tomorrow": _tomorrow(),
    }  # fmt: skip
    return render(request, "console/snapshot_take.html", context, status=status_of(error) if error else 200)


@require_safe
def snapshot(request: HttpRequest, snapshot_id: int) -> HttpResponse:
    """What one snapshot holds, and how long it is kept."""
    actor = require(request, "snapshot.browse")
    one = state.get(snapshot_id)
    parts = list(one.tables.all())
    context = {
        **admin.site.each_context(request),
        "title": one.name,
        "row": snapshot_row(one, parts, label=plural),
        "snapshot": one,
        "tables": [_table(part) for part in parts],
        "unmeasured": any(part.measured_at is None for part in parts),
        "change_url": reverse("admin:change", args=[one.change_id])
        if one.change_id and allowed(actor, "change.browse")
        else "",
        "may_take": allowed(actor, "snapshot.take"),
        "may_roll_back": allowed(actor, "change.rollback"),
        "kept_until": f"{one.kept_until:%Y-%m-%d}" if one.kept_until else "",
        "tomorrow": _tomorrow(),
    }
    return render(request, "console/snapshot.html", context)


@require_POST
def measure(request: HttpRequest, snapshot_id: int) -> HttpResponse:
    """Workers count the rows and compute the checksums."""
    require(request, "snapshot.take")
    try:
        snapshots.measure(state.get(snapshot_id))
        messages.success(request, _("The workers measure it now. Load the page again in a minute."))
    except Unavailable as error:
        messages.error(request, str(error))
    return redirect("admin:snapshot", snapshot_id=snapshot_id)


@require_POST
def keep(request: HttpRequest, snapshot_id: int) -> HttpResponse:
    """Until when, and whether it is held beyond that."""
    require(request, "snapshot.take")
    one = state.get(snapshot_id)
    try:
        text = request.POST.get("kept_until", "")
        same = one.kept_until is not None and text == f"{one.kept_until:%Y-%m-%d}"
        kept_until = one.kept_until if same else _day(text)
        taking.keep(one, kept_until=kept_until, hold=request.POST.get("hold") == "1")
        messages.success(request, _("Saved."))
    except Invalid as error:
        messages.error(request, str(error))
    return redirect("admin:snapshot", snapshot_id=snapshot_id)


def _table(part: Any) -> Any:
    try:
        now = [list(one) for one in _columns(part.entity)]
    except UnknownEntity:
        now = None
    return table_row(part, label=plural, table=table, columns_now=now)


def _columns(label: str) -> list[tuple[str, str]]:
    """The recorded columns of a table as they are now."""
    found = recorded(registry.entity(label))
    types = dict(column_types(found.table))
    return [(column.table, types.get(column.table, "")) for column in found.columns]


def _day(text: str) -> datetime | None:
    """The end of a day typed into a form; nothing typed: for good. Raises BadKeptUntil."""
    if not text.strip():
        return None
    try:
        day = parse_date(text.strip())
    except ValueError as error:
        raise BadKeptUntil(field="kept_until") from error
    if day is None:
        raise BadKeptUntil(field="kept_until")
    return timezone.make_aware(datetime.combine(day, time.max))


def _tomorrow() -> str:
    return f"{timezone.localdate() + timedelta(days=1):%Y-%m-%d}"
