"""The checks of a change on its page: how they stand, making them again, leaving out the rows that one objects to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from access.enforcement import allowed
from changes import excluding, execution, preflight
from changes.models import Change
from changes.preflight.register import CHECKS
from changes.preflight.running import OPEN
from changes.states import State
from console.pages import inbox
from console.pages.labels import plural
from console.pages.shell import actor_of
from console.presenters import checks
from foundation.actor import Actor
from foundation.errors import Conflict, Invalid


def lines(findings: Iterable[Mapping[str, Any]], worse: Iterable[str] = ()) -> tuple[checks.Check, ...]:
    """Findings as they are shown; names come from the registry, a project's own among them."""
    known = {name: (str(check.label), str(check.way)) for name, check in CHECKS.items()}
    return checks.checks(findings, label=plural, known=known, worse=worse)


def of_change(change: Change, actor: Actor) -> dict[str, Any]:
    """What the page of a change shows of its checks."""
    now = preflight.standing(change)
    moments = dict(preflight.Moment.choices)
    can_leave_out = change.state in OPEN and change.applied == 0 and allowed(actor, "change.request")
    return {
        "checks": lines(now.findings, now.worse if change.state in OPEN else ()),
        "checked_at": now.at or change.frozen_at,
        "checked_by": now.by,
        "checked_why": moments.get(now.moment, ""),
        "may_check": change.state in OPEN and allowed(actor, "change.check"),
        "may_exclude": can_leave_out,
        "may_prove": change.state != State.DRAFT and allowed(actor, "evidence.download"),
    }


@require_POST
def again(request: HttpRequest, change_id: int) -> HttpResponse:
    """Make the checks now."""
    try:
        found = preflight.again(change_id, actor=actor_of(request))
    except Conflict as error:
        messages.error(request, str(error))
    else:
        blocks = sum(finding["level"] == preflight.base.BLOCK for finding in found.findings)
        text = ngettext("Checked: %(count)s check blocks.", "Checked: %(count)s checks block.", blocks)
        said = text % {"count": blocks} if blocks else _("Checked: nothing blocks.")
        (messages.warning if blocks else messages.success)(request, said)
    return redirect(f"{inbox.url(_found(change_id))}#h-c")


@require_POST
def exclude(request: HttpRequest, change_id: int) -> HttpResponse:
    """A draft without the rows that a check objects to; the ticket stays as it is."""
    change = _found(change_id)
    try:
        draft = excluding.exclude(change.pk, request.POST.get("check", ""), actor=actor_of(request))
    except (Conflict, Invalid) as error:
        messages.error(request, str(error))
        drafted = change.state == State.DRAFT
        return redirect("admin:change-look", change_id=change.pk) if drafted else redirect(inbox.url(change))
    messages.success(request, _("The rows are left out. Look at what is left, then ask for it."))
    return redirect("admin:change-look", change_id=draft.pk)


def _found(change_id: int) -> Change:
    return inbox.changes().filter(pk=change_id).first() or execution.get(change_id)
