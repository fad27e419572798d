"""Importing a file: send it, look at what each line would do, then say why like for any other change."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from access.enforcement import allowed
from audit import registry
from audit.entity import SoftDeleted
from changes import drafts, import_diff, import_layout, staging, writable
from changes.errors import EmptyFile, ImportNotFound
from changes.models import Change
from changes.operations import REGISTRY
from changes.states import Operation, State, Verdict
from console.pages import inbox
from console.pages.guards import require
from console.pages.labels import plural, record_url
from console.pages.shell import actor_of
from console.presenters import choice as words
from console.presenters import importing as file_words
from console.presenters.choice import Option
from foundation.errors import Invalid

WRONG_SHOWN = 100


@require_http_methods(["GET", "HEAD", "POST"])
def send(request: HttpRequest, label: str) -> HttpResponse:
    """The form for a file; what can be read becomes a draft."""
    actor = require(request, "change.request")
    entity = registry.entity(label)
    if request.method != "POST":
        return _send_page(request, entity)
    upload: Any = request.FILES.get("file")
    try:
        if upload is None:
            raise EmptyFile(field="file")
        draft = staging.stage(
            actor,
            entity=label,
            stream=upload.file,
            name=upload.name or "",
            match=request.POST.get("match", ""),
            including=request.POST.getlist("including"),
        )
    except Invalid as error:
        return _send_page(request, entity, error)
    return redirect("admin:change-look", change_id=draft.pk)


def _send_page(request: HttpRequest, entity: type[SoftDeleted], error: Invalid | None = None) -> HttpResponse:
    label = entity._meta.label_lower
    chosen = request.POST.get("match", "")
    said = request.POST.getlist("including")
    ways: dict[str, str] = {"": _("the key, else what is unique")}
    ways |= {name: ", ".join(str(f.verbose_name) for f in way) for name, way in import_layout.ways(entity).items()}
    ways[import_layout.NEW_ONLY] = _("nothing: every line is a new row")
    named: dict[str, Any] = writable.writable(entity, key=True)
    careful = [name for name in (*entity.governance.sensitive, *entity.governance.untracked) if name in named]
    context = {
        **admin.site.each_context(request),
        "title": _("Import"),
        "entity": label,
        "heading": words.heading(Operation.IMPORT, plural(label)),
        "steps": words.steps("choose", None, operation=Operation.IMPORT),
        "columns": [(name, str(field.verbose_name)) for name, field in named.items()],
        "ways": [Option(name, text, name == chosen) for name, text in ways.items()],
        "careful": [Option(name, str(named[name].verbose_name), name in said) for name in careful],
        "rows": settings.CUSTODY_IMPORT_ROWS,
        "megabytes": settings.CUSTODY_IMPORT_BYTES // (1024 * 1024),
        "error": str(error) if error is not None else "",
    }
    return render(request, "console/new/send.html", context, status=422 if error else 200)


def look(request: HttpRequest, draft: Change) -> HttpResponse:
    """What the lines of one's own draft would do; wrong lines stop it, unless they are to be left out."""
    if request.method == "POST":
        leave_out = request.POST.get("leave_out") == "1"
        if staging.counts(draft)[Verdict.WRONG] and not leave_out:
            messages.error(request, _("There are wrong lines. Mend the file, or choose to leave them out."))
            return redirect("admin:change-look", change_id=draft.pk)
        drafts.leave_out(actor_of(request), draft.pk, leave_out)
        return redirect("admin:change-why", change_id=draft.pk)
    return _lines_page(request, draft)


@require_safe
def lines(request: HttpRequest, change_id: int) -> HttpResponse:
    """Line by line what an import does that was asked for."""
    actor = require(request, "change.browse", f"C-{change_id}")
    change = inbox.changes().filter(pk=change_id, operation=Operation.IMPORT).first()
    if change is None or (change.state == State.DRAFT and change.requester_person_id != actor.person_id):
        raise ImportNotFound(field="change", value=change_id)
    return _lines_page(request, change)


def _lines_page(request: HttpRequest, change: Change) -> HttpResponse:
    counted = staging.counts(change)
    verdict = request.GET.get("verdict") or (Verdict.WRONG if counted[Verdict.WRONG] else "")
    text = request.GET.get("after", "")
    after = int(text) if text.isdigit() and len(text) < 18 else 0
    size = WRONG_SHOWN if verdict == Verdict.WRONG else import_diff.PAGE
    found = list(import_diff.lines(change, verdict=verdict, after=after)[: size + 1])
    entity = registry.entity(change.entity)
    hidden = () if allowed(actor_of(request), "entity.edit", change.entity) else entity.governance.sensitive
    shown = import_diff.diff(change, found[:size], hidden=hidden)
    context = {
        **admin.site.each_context(request),
        "title": change.title,
        "change": change,
        "draft": change if change.state == State.DRAFT else None,
        "code": inbox.code(change),
        "change_url": inbox.url(change),
        "heading": words.heading(Operation.IMPORT, plural(change.entity)),
        "steps": words.steps("look", change.pk, operation=Operation.IMPORT),
        "words": REGISTRY[Operation.IMPORT].in_words(change),
        "tabs": file_words.tabs(counted, verdict),
        "lines": [file_words.line(one, url=record_url(change.entity, one.key) or "") for one in shown],
        "next": f"?verdict={verdict}&after={shown[-1].line}" if len(found) > size else "",
        "wrong": counted[Verdict.WRONG],
        "does": counted[Verdict.NEW] + counted[Verdict.CHANGED],
        "leave_out": change.options.get("leave_out", False),
        "send_url": reverse("admin:new-import", args=[change.entity]),
    }
    return render(request, "console/new/lines.html", context)
