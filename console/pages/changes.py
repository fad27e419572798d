"""A change without a ticket, and the buttons of every change: start, stop, undo."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from approvals import gate, starting
from changes import execution
from changes.models import Change
from changes.states import ACTIVE, State
from changes.submission import REASON_LEAST
from changes.undoing import preview_undo
from console.errors import status_of
from console.pages import detail, inbox
from console.pages.guards import require
from console.pages.labels import plural, table
from console.pages.shell import actor_of
from console.presenters.undo import undo_words
from foundation.errors import Conflict, CustodyError, Invalid


def found(change_id: int) -> Change:
    """The change with its ticket. Raises ChangeNotFound."""
    execution_check = inbox.changes().filter(pk=change_id).first()
    return execution_check or execution.get(change_id)


@require_safe
def change(request: HttpRequest, change_id: int) -> HttpResponse:
    """The page of a change that needed no ticket; others have theirs."""
    require(request, "change.browse")
    one = found(change_id)
    if hasattr(one, "ticket") or one.state == State.DRAFT:
        return redirect(inbox.url(one))
    return render(request, "console/change.html", detail.page(request, one))


@require_safe
def run(request: HttpRequest, change_id: int) -> HttpResponse:
    """The part of the page that is polled; when the run has ended the whole page is loaded anew."""
    require(request, "change.browse")
    one = found(change_id)
    if one.state not in ACTIVE:
        return HttpResponse(status=286, headers={"HX-Refresh": "true"})
    return render(request, "console/parts/run.html", {"run": detail.run_card_of(one), "change": one})


@require_POST
def start(request: HttpRequest, change_id: int) -> HttpResponse:
    """Start, or go on after a failure. Workers do the rest."""
    _step(request, change_id, starting.start, _("Started."))
    return redirect(inbox.url(found(change_id)))


@require_POST
def discard(request: HttpRequest, change_id: int) -> HttpResponse:
    """A draft leaves without a trace on the page; a change that was called off keeps its page."""
    was_draft = found(change_id).state == State.DRAFT
    said = _("The draft is thrown away.") if was_draft else _("Called off. Nothing was touched.")
    taken = _step(request, change_id, execution.discard, said)
    return redirect("admin:tickets") if taken and was_draft else redirect(inbox.url(found(change_id)))


@require_POST
def pause(request: HttpRequest, change_id: int) -> HttpResponse:
    """Hold it after the batch in hand; nothing is lost, so nobody is asked twice."""
    _step(request, change_id, execution.pause, _("It pauses after the batch in hand."))
    return redirect(inbox.url(found(change_id)))


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, change_id: int) -> HttpResponse:
    """Asked first (the dialog, or this page without script), then stopped after the batch in hand."""
    one = found(change_id)
    if request.method != "POST":
        require(request, "change.cancel", f"C-{one.pk}")
        context = {
            **admin.site.each_context(request),
            "title": _("Stop after this batch?"),
            "change": one,
            "code": inbox.code(one),
            "back": inbox.url(one),
        }
        return render(request, "console/cancel.html", context)
    said = _("It stops after the batch in hand. What is done stays done and can be undone.")
    _step(request, change_id, execution.cancel, said)
    return redirect(inbox.url(one))


@require_http_methods(["GET", "HEAD", "POST"])
def undo(request: HttpRequest, change_id: int) -> HttpResponse:
    """Conflicts first, then a reason and the typed id; an undo is a change of its own."""
    one = found(change_id)
    actor = require(request, "change.undo", one.entity)
    typed = {"reason": request.POST.get("reason", ""), "code": request.POST.get("code", "")}
    error: CustodyError | None = None
    if request.method == "POST" and typed["code"].strip() == inbox.code(one):
        try:
            outcome = gate.request_undo(
                one.pk, actor=actor, reason=typed["reason"], request_key=_key(request.POST.get("request_key", ""))
            )
            return redirect(inbox.url(found(outcome.change.pk)))
        except (Conflict, Invalid) as refused:
            error = refused
    return _undo_page(request, one, typed, error)


def _undo_page(request: HttpRequest, one: Change, typed: dict[str, str], error: CustodyError | None) -> HttpResponse:
    posted = request.method == "POST"
    try:
        preview = preview_undo(one.pk, actor=actor_of(request))
    except Conflict as refused:
        messages.error(request, str(error or refused))
        return redirect(inbox.url(one))
    context = {
        **admin.site.each_context(request),
        "title": _("Undo %(code)s") % {"code": inbox.code(one)},
        "change": one,
        "code": inbox.code(one),
        "back": inbox.url(one),
        "undo": undo_words(preview, label=plural, table=table),
        "typed": typed,
        "code_wrong": posted and typed["code"].strip() != inbox.code(one),
        "error": str(error) if error else "",
        "request_key": request.POST.get("request_key") or str(uuid.uuid4()),
        "least": REASON_LEAST,
    }
    return render(request, "console/undo.html", context, status=status_of(error) if error else 422 if posted else 200)


def _step(request: HttpRequest, change_id: int, verb: Callable[..., Change], said: str) -> bool:
    """Take one step and say so, or say why not. Return whether it was taken."""
    try:
        verb(change_id, actor=actor_of(request))
    except Conflict as error:
        messages.error(request, str(error))
        return False
    messages.success(request, said)
    return True


def _key(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
