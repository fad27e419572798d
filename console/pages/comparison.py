"""Two states of one table beside each other: totals that filter, rows field by field, pages by key."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib import admin
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from access.enforcement import allowed
from audit import registry
from audit.entity import SoftDeleted
from audit.models import Snapshot
from audit.snapshots.comparing import Comparison, Difference, Totals
from console import snapshots
from console.errors import status_of
from console.pages.guards import require
from console.pages.labels import plural, record_url, table
from console.pages.rows import key_of
from console.presenters import comparison as words
from console.presenters.impact import capital
from console.snapshots import PRESENT, Meant
from foundation.actor import Actor
from foundation.errors import Invalid, NotFound

PAGE, OFFERED = 25, 50
PARAMETERS = ("entity", "a", "a_at", "b", "b_at", "kind", "changed", "after")
# Two states of the past never change; the present does.
KEPT_S, PRESENT_KEPT_S = 3600, 20


@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """?entity=, ?a= and ?b= (a snapshot's number or “now”), or ?a_at=, ?b_at= (a moment); without them the form alone."""
    label = request.GET.get("entity", "")
    actor = require(request, "snapshot.browse", label)
    query = {name: request.GET.get(name, "").strip() for name in PARAMETERS}
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Compare"),
        "query": query,
        "tables": [(m._meta.label_lower, capital(str(m.governance.label))) for m in registry.entities()],
        "offered": _offered(label),
    }
    status = 200
    if label and (query["a"] or query["a_at"]):
        try:
            context |= _compared(actor, query)
        except (Invalid, NotFound) as error:
            context["error"], status = str(error), status_of(error)
    return render(request, "console/compare.html", context, status=status)


def _offered(label: str) -> list[tuple[str, str]]:
    """The latest snapshots that hold the table."""
    found = Snapshot.objects.order_by("-pk")
    if label:
        found = found.filter(tables__entity=label)
    return [(str(one.pk), words.side(one.name, one.taken_at)) for one in found[:OFFERED]]


def _compared(actor: Actor, query: dict[str, str]) -> dict[str, Any]:
    model = registry.entity(query["entity"])
    a, b = (_meant(query, side, model) for side in ("a", "b"))
    comparison = Comparison(model=model, a=a.state, b=b.state, tenant_id=actor.tenant_id)
    totals = _totals(comparison, a, b)
    after = key_of(model, query["after"]) if query["after"] else None
    page = comparison.page(after=after, limit=PAGE + 1, kind=query["kind"], field=query["changed"])
    labels = {field.name: capital(str(field.verbose_name)) for field in model._meta.concrete_fields}
    more = "/".join(map(str, page[PAGE - 1].key)) if len(page) > PAGE else ""
    return {
        "plural": capital(plural(query["entity"])),
        "table": table(query["entity"]),
        "side_a": words.side(a.snapshot.name if a.snapshot else "", a.state.at),
        "side_b": words.side(b.snapshot.name if b.snapshot else "", b.state.at),
        "apart": words.apart(a.state.at, b.state.at, now=timezone.now()),
        "classes": words.classes(totals, query),
        "fields": words.fields(totals, labels, query),
        "rows": _rows(actor, model, page[:PAGE], labels),
        "next": words.page_url(query, more) if more else "",
        "first": words.page_url(query, "") if query["after"] else "",
        "swap": words.swapped_url(query, a.text, b.text),
        "compared": True,
    }


def _meant(query: dict[str, str], side: str, model: type[SoftDeleted]) -> Meant:
    text = query[f"{side}_at"] or query[side] or PRESENT
    return snapshots.meant(text, field=side, model=model)


def _totals(comparison: Comparison, a: Meant, b: Meant) -> Totals:
    """The sums, kept for a while so that turning pages does not count again."""
    sides = [f"{one.state.era}-{one.state.snapshot}" for one in (a, b)]
    key = f"{comparison.tenant_id}:{comparison.model._meta.label_lower}:{':'.join(sides)}"
    name = f"compare:{hashlib.sha256(key.encode()).hexdigest()}"
    found = cache.get(name)
    if found is None:
        found = comparison.totals()
        is_past = not (a.state.is_present or b.state.is_present)
        cache.set(name, found, KEPT_S if is_past else PRESENT_KEPT_S)
    totals: Totals = found
    return totals


def _rows(actor: Actor, model: type[SoftDeleted], page: list[Difference], labels: dict[str, str]) -> list[words.Row]:
    """Both versions of the page's rows in one query."""
    history: Any = registry.history_of(model)
    versions = history.objects.in_bulk([i for one in page for i in (one.a_id, one.b_id) if i is not None])
    hidden = set() if allowed(actor, "entity.edit", model._meta.label_lower) else set(model.governance.sensitive)
    attnames = {field.name: field.attname for field in model._meta.concrete_fields}
    rows = []
    for one in page:
        a, b = (versions.get(i) if i is not None else None for i in (one.a_id, one.b_id))
        values = [
            (
                name,
                labels.get(name, name),
                getattr(a, attnames[name], None),
                getattr(b, attnames[name], None),
                name not in hidden,
            )
            for name in one.fields
        ]
        key = "/".join(map(str, one.key))
        rows.append(words.row(key, record_url(model._meta.label_lower, key), one.kind, values))
    return rows
