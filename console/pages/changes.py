"""A change without a ticket, and the buttons of every change: start, pause, stop."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from approvals import starting
from changes import execution
from changes.models import Change
from changes.states import ACTIVE, State
from console.pages import detail, inbox
from console.pages.guards import require
from console.pages.shell import actor_of
from foundation.errors import Conflict


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


def _step(request: HttpRequest, change_id: int, verb: Callable[..., Change], said: str) -> bool:
    """Take one step and say so, or say why not. Return whether it was taken."""
    try:
        verb(change_id, actor=actor_of(request))
    except Conflict as error:
        messages.error(request, str(error))
        return False
    messages.success(request, said)
    return True
