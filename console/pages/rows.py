"""List and record pages of tables whose key has several columns: Django's admin refuses those.

Same rights, same bin, same way to delete as the model pages; rows are shown, not edited.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from access.enforcement import allowed
from audit import registry
from audit.entity import SoftDeleted
from changes import drafts
from changes.states import Operation
from console.admin import columns
from console.pages.guards import require
from console.pages.labels import plural, table
from console.presenters.impact import capital
from console.presenters.sample import cell
from foundation.errors import CustodyError

PAGE = 50


def key_of(model: type[SoftDeleted], text: str) -> tuple[Any, ...]:
    """The key's values from an address. Raises Http404 for what cannot be one."""
    fields: Any = model._meta.pk_fields
    texts = text.split("/", len(fields) - 1)
    if len(texts) != len(fields) or "\x00" in text:
        raise Http404
    try:
        return tuple(field.to_python(one) for field, one in zip(fields, texts, strict=True))
    except ValidationError as error:
        raise Http404 from error


def _pk(model: type[SoftDeleted], text: str) -> Any:
    """The key as `pk=` wants it: a tuple only where it has several columns."""
    key = key_of(model, text)
    return key if len(key) > 1 else key[0]


@require_http_methods(["GET", "HEAD", "POST"])
def rows(request: HttpRequest, label: str) -> HttpResponse:
    """A page of rows by key; marked ones go to a new change."""
    actor = require(request, "entity.browse", label)
    model = registry.entity(label)
    in_bin = request.GET.get("deleted") == "1"
    if request.method == "POST":
        purge = in_bin and request.POST.get("do") == Operation.PURGE
        return _ask(request, model, Operation.PURGE if purge else Operation.RESTORE if in_bin else Operation.DELETE)
    found: Any = model.deleted if in_bin else model.objects
    page = _page(model, found.order_by("pk"), request.GET.get("after", ""))
    fields = _fields(model)
    context = {
        **admin.site.each_context(request),
        "title": capital(plural(label)),
        "label": label,
        "table": table(label),
        "in_bin": in_bin,
        "columns": [capital(str(field.verbose_name)) for field in fields],
        "rows": [_row(one, fields) for one in page[:PAGE]],
        "older": columns.key_text(page[PAGE - 1]) if len(page) > PAGE else "",
        "first": bool(request.GET.get("after")),
        "may_ask": allowed(actor, "change.request", label),
        "may_purge": in_bin and allowed(actor, "change.purge", label),
    }
    return render(request, "console/rows.html", context)


def _page(model: type[SoftDeleted], found: Any, after: str) -> list[Any]:
    if after:
        found = found.filter(pk__gt=_pk(model, after))
    return list(found[: PAGE + 1])


def _fields(model: type[SoftDeleted]) -> list[Any]:
    """The key's columns first, then what is special."""
    keys: list[Any] = list(model._meta.pk_fields)
    return [*keys, *[field for field in columns.special_fields(model) if field not in keys][: columns.COLUMNS - 1]]


def _row(one: Any, fields: list[Any]) -> tuple[str, list[Any]]:
    return columns.key_text(one), [cell(str(field.verbose_name), columns.shown(one, field)) for field in fields]


def _ask(request: HttpRequest, model: type[SoftDeleted], operation: str) -> HttpResponse:
    label = model._meta.label_lower
    actor = require(request, "change.request", label)
    keys = [list(map(str, key_of(model, text))) for text in request.POST.getlist("key")]
    if not keys:
        messages.warning(request, _("Mark the rows first."))
        return redirect(request.get_full_path())
    try:
        draft = drafts.save(actor, entity=label, operation=operation, selection={"keys": keys})
    except CustodyError as error:
        messages.error(request, str(error))
        return redirect(request.get_full_path())
    return redirect("admin:change-look", change_id=draft.pk)


@require_safe
def row(request: HttpRequest, label: str, key: str) -> HttpResponse:
    """One row with all its fields, alive or deleted."""
    actor = require(request, "entity.browse", label)
    model = registry.entity(label)
    one = model.objects_and_deleted.filter(pk=_pk(model, key)).first()
    if one is None:
        raise Http404
    hidden = set() if allowed(actor, "entity.edit", label) else set(model.governance.sensitive)
    fields = [field for field in model._meta.concrete_fields if field.name not in hidden]
    query = f"?entity={label}&keys={key}"
    context = {
        **admin.site.each_context(request),
        "title": f"{capital(str(model._meta.verbose_name))} {key}",
        "name": capital(str(model._meta.verbose_name)),
        "plural": capital(plural(label)),
        "label": label,
        "key": key,
        "row": one,
        "cells": [cell(capital(str(field.verbose_name)), getattr(one, field.attname)) for field in fields],
        "may_ask": allowed(actor, "change.request", label),
        "may_see_history": allowed(actor, "history.browse", label),
        "delete_url": reverse("admin:new-change") + query,
        "restore_url": reverse("admin:new-change") + query + "&operation=restore",
    }
    return render(request, "console/row.html", context)
