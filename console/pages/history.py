"""The history of one record: a timeline of its versions, and the difference each of them made.

Works for living, deleted and removed rows alike: it reads the record, not the table.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from access.enforcement import allowed
from audit import registry
from audit.entity import SoftDeleted
from audit.models import Event
from console.admin import columns
from console.pages import inbox
from console.pages.guards import require
from console.pages.labels import plural
from console.pages.rows import key_of
from console.presenters import versions
from console.presenters.diff import RecordDiff, record_diff
from console.presenters.impact import capital
from foundation.actor import Actor

PAGE = 50


@require_safe
def record(request: HttpRequest, label: str, key: str) -> HttpResponse:
    """?version= picks one, ?after= pages on; the newest is open at first."""
    actor = require(request, "history.browse", label)
    model = registry.entity(label)
    page = _page(model, key, request.GET.get("after", ""))
    if not page:
        raise Http404
    events = _events(page)
    listed = [_version(row, before, events) for row, before in _pairs(page)]
    index = _picked(page[:PAGE], request.GET.get("version", ""))
    row, before = _pairs(page)[index]
    row_now = model.objects_and_deleted.filter(**_key(model, key)).first()
    context = {
        **admin.site.each_context(request),
        "title": _("History"),
        "name": capital(str(model._meta.verbose_name)),
        "plural": capital(plural(label)),
        "key": key,
        "entity": label,
        "row": row_now,
        "row_url": _row_url(model, key) if row_now is not None else "",
        "list_url": _list_url(model),
        "versions": listed,
        "picked": listed[index],
        "diff": _diff(model, before, row, actor),
        "newer": listed[index - 1] if index > 0 else None,
        "older": listed[index + 1] if index + 1 < len(listed) else None,
        "more": f"?after={page[PAGE - 1].history_id}" if len(page) > PAGE else "",
        "change": _change(actor, events, row),
        **_undoing(actor, label, events.get(row.event_id)),
    }
    template = "console/parts/version.html" if request.headers.get("HX-Target") == "version" else "console/history.html"
    return render(request, template, context)


def _key(model: type[SoftDeleted], key: str) -> dict[str, Any]:
    """The key's fields with their values. Raises Http404 for a key that cannot be one."""
    fields: Any = model._meta.pk_fields
    return {field.attname: one for field, one in zip(fields, key_of(model, key), strict=True)}


def _page(model: type[SoftDeleted], key: str, after: str) -> list[Any]:
    """One page of versions, newest first, and the one before it to compare with."""
    history: Any = registry.history_of(model)
    rows = history.objects.filter(**_key(model, key))
    if after.isdigit() and len(after) < 19:
        rows = rows.filter(history_id__lt=int(after))
    return list(rows.order_by("-history_id")[: PAGE + 1])


def _pairs(page: list[Any]) -> list[tuple[Any, Any]]:
    """Each version with the one before it, the oldest with None."""
    return [(row, page[i + 1] if i + 1 < len(page) else None) for i, row in enumerate(page[:PAGE])]


def _picked(page: list[Any], wanted: str) -> int:
    return next((i for i, row in enumerate(page) if str(row.history_id) == wanted), 0)


def _events(page: list[Any]) -> dict[int, Event]:
    """The statements that made these versions: one query."""
    wanted = {row.event_id for row in page if row.event_id}
    return {event.pk: event for event in Event.objects.filter(pk__in=wanted).defer("before_state", "facts")}


def _version(row: Any, before: Any, events: dict[int, Event]) -> versions.Version:
    event = events.get(row.event_id)
    labels = {field.attname: str(field.verbose_name) for field in row.tracked_fields}
    return versions.version(
        versions.VersionFacts(
            id=row.history_id,
            type=row.history_type,
            at=row.history_date,
            who=event.operator_name if event else "",
            channel=event.channel if event else "",
            login=event.db_role if event else "",
            program=event.application if event else "",
            ip=event.ip if event else None,
            reason=row.history_change_reason or "",
            change_id=row.change_id,
            changed=[
                labels[name] for name in labels if before is not None and getattr(row, name) != getattr(before, name)
            ],
            deleted=getattr(row, "is_deleted", False),
            was_deleted=getattr(before, "is_deleted", False) if before is not None else False,
            rows=event.affected_rows if event else 1,
        )
    )


def _diff(model: type[SoftDeleted], before: Any, row: Any, actor: Actor) -> RecordDiff:
    """What this version changed. Fields that are not for everybody say so and show nothing."""
    hidden = set() if allowed(actor, "entity.edit") else set(model.governance.sensitive)
    shown = [field for field in row.tracked_fields if field.name not in hidden]
    fields = sorted(shown, key=lambda field: field.name in columns.COMMON)  # what is special comes first
    labels = {field.attname: str(field.verbose_name) for field in fields}
    old = {name: getattr(before, name) for name in labels} if before is not None else {}
    new = {name: getattr(row, name) for name in labels}
    if row.history_type == "-":
        old, new = new, {}
    return record_diff(labels, old, new)


def _change(actor: Actor, events: dict[int, Event], row: Any) -> tuple[str, str] | None:
    if not row.change_id or not allowed(actor, "change.browse"):
        return None
    change = inbox.changes().filter(Q(pk=row.change_id)).first()
    return (inbox.code(change), inbox.url(change)) if change else None


def _undoing(actor: Actor, label: str, event: Event | None) -> dict[str, Any]:
    """Where the picked version can be undone: through its change, or else as a statement."""
    if event is None or not allowed(actor, "change.undo", label):
        return {"undo_url": "", "undo_statement": None}
    if event.change_id:
        return {"undo_url": reverse("admin:change-undo", args=[event.change_id]), "undo_statement": None}
    return {"undo_url": "", "undo_statement": event.pk}


def _row_url(model: type[SoftDeleted], key: str) -> str:
    if not admin.site.is_registered(model):
        return reverse("admin:row", args=[model._meta.label_lower, key])
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[key])


def _list_url(model: type[SoftDeleted]) -> str:
    if not admin.site.is_registered(model):
        return reverse("admin:rows", args=[model._meta.label_lower])
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
