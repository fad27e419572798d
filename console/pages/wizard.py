"""A new change in three steps, each with an address of its own, kept as a draft: choose, look, say why."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from approvals import gate
from audit import registry
from audit.entity import SoftDeleted
from changes import drafts
from changes.errors import UniqueForSeveral, UnknownOperation
from changes.models import Change
from changes.operations import REGISTRY
from changes.operations.base import no_options
from changes.planning import count_capped
from changes.selection import Selection
from changes.states import Operation, State
from changes.submission import REASON_LEAST
from console.errors import status_of
from console.pages import importing, inbox, looking, running, setting
from console.pages.choosing import Choice, bound, from_selection, pressed, same_without, to_selection
from console.pages.guards import require
from console.pages.labels import plural
from console.pages.shell import actor_of
from console.presenters import choice as words
from console.presenters import setting as set_words
from foundation.actor import Actor
from foundation.errors import Conflict, CustodyError, Invalid

OPERATIONS = (Operation.DELETE, Operation.RESTORE, Operation.PURGE)
SAFE_AND_POST = ["GET", "HEAD", "POST"]


# -- 1 choose ------------------------------------------------------------------------------------


@require_http_methods(SAFE_AND_POST)
def choose(request: HttpRequest, change_id: int | None = None) -> HttpResponse:
    """Which rows: conditions in groups, or keys. Buttons that only change the form write nothing."""
    actor = require(request, "change.request")
    draft = drafts.get(change_id, actor) if change_id is not None else None
    label = draft.entity if draft else request.POST.get("entity") or request.GET.get("entity", "")
    if not label:
        return _tables(request)
    if draft is not None and draft.operation == Operation.IMPORT:
        return redirect("admin:change-look", change_id=draft.pk)
    entity = registry.entity(label)
    operation = draft.operation if draft else _operation(request)
    if request.method != "POST":
        lines = setting.from_options(draft.options if draft else {})
        return _choose_page(request, entity, operation, _first_choice(request, draft, entity), draft, lines)
    choice, lines = bound(request.POST, entity), setting.bound(request.POST)
    button = request.POST.get("do", "next")
    if button not in ("next", "save"):
        lines, choice = setting.pressed(lines, button), pressed(choice, button)
        return _choose_page(request, entity, operation, choice, draft, lines)
    try:
        selection = same_without(to_selection(choice, entity), draft.selection if draft else {})
        Selection.parse(selection, entity)
        options = setting.to_options(lines, entity) if operation == Operation.UPDATE else {}
    except Invalid as error:
        return _choose_page(request, entity, operation, choice, draft, lines, error)
    kept = _keep(actor, entity, operation, selection, draft, options)
    if button == "save":
        messages.success(request, _("Saved as a draft. You find it under Tickets, Mine."))
        return redirect("admin:change-choose", change_id=kept.pk)
    return redirect("admin:change-look", change_id=kept.pk)


def _keep(
    actor: Actor,
    entity: type[SoftDeleted],
    operation: str,
    selection: dict[str, Any],
    draft: Change | None,
    options: dict[str, Any],
) -> Change:
    """Rows to take along belong to the old selection; another one starts without."""
    same = draft is not None and draft.selection == selection
    return drafts.save(
        actor,
        entity=entity._meta.label_lower,
        operation=operation,
        selection=selection,
        cascade_also=draft.options.get("cascade_also", ()) if draft and same else (),
        title=draft.title if draft else "",
        reason=draft.reason if draft else "",
        draft_id=draft.pk if draft else None,
        options=options,
    )


def _operation(request: HttpRequest) -> str:
    wanted = request.POST.get("operation") or request.GET.get("operation") or Operation.DELETE
    known = _askable()
    if wanted not in known:
        raise UnknownOperation(field="operation", value=str(wanted)[:40], known=", ".join(known))
    return str(wanted)


def _askable() -> list[str]:
    """Operations whose whole question these steps ask: a selection, and for an update what is set."""
    kinds = (kind for kind in REGISTRY.values() if kind.needs_selection)
    return [kind.name for kind in kinds if kind.name == Operation.UPDATE or kind.read_options is no_options]


def _first_choice(request: HttpRequest, draft: Change | None, entity: type[SoftDeleted]) -> Choice:
    if draft is not None:
        return from_selection(draft.selection)
    keys = request.GET.get("keys", "")
    return from_selection({"keys": keys.split(",")} if keys else {})


def _tables(request: HttpRequest) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": _("New change"),
        "tables": [
            (entity._meta.label_lower, plural(entity._meta.label_lower), entity._meta.db_table)
            for entity in registry.entities()
        ],
    }
    return render(request, "console/new/table.html", context)


def _choose_page(
    request: HttpRequest,
    entity: type[SoftDeleted],
    operation: str,
    choice: Choice,
    draft: Change | None,
    lines: setting.Settings = setting.BLANK,
    error: Invalid | None = None,
) -> HttpResponse:
    about_set = error is not None and set_words.is_about(error)
    context = {
        **admin.site.each_context(request),
        "title": _("New change"),
        "draft": draft,
        "entity": entity._meta.label_lower,
        "operation": operation,
        "form": words.form(choice, entity, None if about_set else error),
        "settings": set_words.form(lines, entity, error) if operation == Operation.UPDATE else None,
        "heading": words.heading(operation, plural(entity._meta.label_lower)),
        "steps": words.steps("choose", draft.pk if draft else None),
    }
    return render(request, "console/new/choose.html", context, status=422 if error else 200)


@require_POST
def count(request: HttpRequest) -> HttpResponse:
    """How many rows match, for the line beside the conditions; asked on every blur."""
    require(request, "change.request")
    entity = registry.entity(request.POST.get("entity", ""))
    try:
        selection = Selection.parse(to_selection(bound(request.POST, entity), entity), entity)
        line = words.counted(count_capped(selection, _operation(request)), plural(entity._meta.label_lower))
    except Invalid as error:
        line = words.uncounted(error)
    return render(request, "console/new/_count.html", {"line": line})


# -- 2 look --------------------------------------------------------------------------------------


@require_http_methods(SAFE_AND_POST)
def look(request: HttpRequest, change_id: int) -> HttpResponse:
    """What it would do, counted for real and taken back. Protected rows can be taken along."""
    actor = require(request, "change.request")
    draft = drafts.get(change_id, actor)
    if draft.operation == Operation.IMPORT:
        return importing.look(request, draft)
    if request.method == "POST":
        also = {*draft.options.get("cascade_also", ()), *request.POST.getlist("also")}
        drafts.save(
            actor,
            entity=draft.entity,
            operation=draft.operation,
            selection=draft.selection,
            cascade_also=also if request.POST.get("do") != "none" else (),
            title=draft.title,
            reason=draft.reason,
            draft_id=draft.pk,
            options=drafts.asked(draft),
        )
        return redirect("admin:change-look", change_id=draft.pk)
    try:
        seen = looking.look(actor, draft)
    except UniqueForSeveral as error:
        messages.error(request, str(error))
        return redirect("admin:change-choose", change_id=draft.pk)
    context = {
        **admin.site.each_context(request),
        "title": _("New change"),
        "draft": draft,
        "seen": seen,
        "heading": words.heading(draft.operation, plural(draft.entity)),
        "steps": words.steps("look", draft.pk),
        "also": draft.options.get("cascade_also", ()),
    }
    return render(request, "console/new/look.html", context)


# -- 3 say why -----------------------------------------------------------------------------------


@require_http_methods(SAFE_AND_POST)
def why(request: HttpRequest, change_id: int) -> HttpResponse:
    """Title and reason, then the freeze. A second press of the button finds the first one's change."""
    actor = require(request, "change.request")
    key = _key(request.POST.get("request_key", ""))
    if request.method == "POST" and key is not None and (done := _already(change_id, key)) is not None:
        return redirect(inbox.url(done))
    draft = drafts.get(change_id, actor)
    if request.method != "POST":
        kept = {"title": draft.title, "reason": draft.reason, **running.typed(draft.options)}
        return _why_page(request, draft, kept)
    typed = {name: request.POST.get(name, "") for name in ("title", "reason", *running.FIELDS)}
    if request.POST.get("do") == "save":
        drafts.say(actor, draft.pk, title=typed["title"], reason=typed["reason"])
        messages.success(request, _("Saved as a draft. You find it under Tickets, Mine."))
        return redirect("admin:change-why", change_id=draft.pk)
    try:
        outcome = _ask(actor, draft, typed, key)
    except (Conflict, Invalid) as error:
        if key is not None and (done := _already(change_id, key)) is not None:
            return redirect(inbox.url(done))
        return _why_page(request, draft, typed, error)
    _say(request, outcome)
    return redirect(inbox.url(inbox.changes().get(pk=outcome.change.pk)))


def _ask(actor: Actor, draft: Change, typed: dict[str, str], key: uuid.UUID | None) -> gate.Outcome:
    return gate.request(
        actor,
        entity=draft.entity,
        operation=draft.operation,
        selection=draft.selection,
        title=typed["title"],
        reason=typed["reason"],
        cascade_also=draft.options.get("cascade_also", ()),
        request_key=key,
        draft_id=draft.pk,
        window=running.window(typed),
        canary=running.canary(typed),
        options=drafts.asked(draft),
    )


def _already(change_id: int, key: uuid.UUID) -> Change | None:
    """The change that this very form made before."""
    return inbox.changes().filter(pk=change_id, request_key=key).exclude(state=State.DRAFT).first()


def _say(request: HttpRequest, outcome: gate.Outcome) -> None:
    if outcome.ticket is None and outcome.change.state == State.CLEARED:
        messages.success(request, _("Frozen. Few enough rows to need no approval; start it when its window opens."))
    elif outcome.ticket is not None:
        messages.success(request, _("Frozen. Ticket %(code)s now waits for approval.") % {"code": str(outcome.ticket)})
    else:
        messages.success(request, _("Frozen and started: few enough rows to need no approval."))


def _why_page(
    request: HttpRequest, draft: Change, typed: dict[str, str], error: CustodyError | None = None
) -> HttpResponse:
    seen = looking.look(actor_of(request), draft)
    field = error.facts.get("field") if error is not None else None
    context = {
        **admin.site.each_context(request),
        "title": _("New change"),
        "draft": draft,
        "seen": seen,
        "typed": typed,
        "running": running.form(typed, error),
        "least": REASON_LEAST,
        "reason_error": str(error) if error is not None and field == "reason" else "",
        "error": str(error) if error is not None and field != "reason" else "",
        "heading": words.heading(draft.operation, plural(draft.entity)),
        "button": words.button(draft.operation, seen.rows, seen.entity_rows, plural(draft.entity), seen.approvals),
        "request_key": request.POST.get("request_key") or str(uuid.uuid4()),
        "steps": words.steps("why", draft.pk, operation=draft.operation),
        "look_url": reverse("admin:change-look", args=[draft.pk]),
    }
    return render(request, "console/new/why.html", context, status=status_of(error) if error else 200)


def _key(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
