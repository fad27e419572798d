"""Steering a run from its page: what it waits for, its pace, another try for rows that failed, and the drift report."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from access.enforcement import allowed
from approvals import gate
from approvals.models import Ticket, Vote
from changes import clock, drift, execution, pacing, retrying
from changes.errors import BadPace
from changes.models import Change
from changes.progress import Progress
from changes.states import Canary, Operation, SkipReason, State
from console.pages import inbox
from console.pages.guards import require
from console.pages.labels import plural, record_url
from console.pages.shell import actor_of
from console.presenters import holding
from console.presenters.facts import Fact
from console.presenters.impact import capital
from console.presenters.words import moment, number
from foundation.actor import Actor
from foundation.errors import Conflict, Invalid


def steering(change: Change, ticket: Ticket | None, drifted: drift.Drift | None, actor: Actor) -> dict[str, Any]:
    """The context of these parts of a change's page."""
    report = drifted.as_json() if drifted is not None else change.drift or {}
    return {
        "pace": _pace(change) if change.state in pacing.TUNABLE and allowed(actor, "change.tune") else None,
        "again": _again(change, actor),
        "drift_report": _report(report, change) if report.get("rows") else None,
        "earlier_votes": _earlier(ticket) if ticket else [],
        "more_facts": facts(change),
    }


def banner_of(change: Change) -> tuple[tuple[str, str] | None, str]:
    """Title and text of what holds a change, and the sentence of one that waits for its window."""
    opens = clock.opens_at(change)
    if change.state == State.PAUSED:
        return holding.held(change.held, change.held_facts, opens=opens), ""
    if change.state == State.CLEARED and not clock.is_open(change):
        if opens is None:
            return None, _("Its window does not open again. Call it off and ask anew.")
        return None, _("It can be started when the window opens, %(time)s.") % {"time": moment(opens)}
    return None, ""


def waiting_lines(change: Change, now: Progress) -> tuple[list[str], str]:
    """For what a run waits, a line each, and how its trial stands."""
    at = clock.now() if now.waiting or change.canary == Canary.WATCHING else None
    lines = [holding.waiting(one.signal, one.value, one.since, now=at) for one in now.waiting if at is not None]
    if change.state == State.RUNNING and change.canary == Canary.TRYING:
        return lines, _("A trial: the first rows only.")
    if change.state == State.RUNNING and change.canary == Canary.WATCHING:
        return lines, _("The trial is done and watched until %(time)s.") % {"time": moment(change.canary_until)}
    if change.canary == Canary.TAKING_BACK and change.state == State.CANCELLING:
        return lines, _("Something was wrong: the rows of the trial are taken back.")
    return lines, ""


def facts(change: Change) -> list[Fact]:
    """Window, trial and pace, where there are any."""
    found = []
    if change.options.get("window"):
        found.append(Fact(_("Window"), holding.window(change.options["window"])))
    if change.options.get("canary"):
        found.append(Fact(_("Trial"), holding.trial(change.options["canary"])))
    if change.rows_per_second:
        found.append(Fact(_("Rows per second, at most"), number(change.rows_per_second)))
    return found


def _pace(change: Change) -> dict[str, Any]:
    return {
        "chunk_rows": change.chunk_rows or "",
        "rows_per_second": change.rows_per_second or "",
        "chunk_most": pacing.CHUNK_MOST,
        "rate_most": pacing.RATE_MOST,
    }


def _again(change: Change, actor: Actor) -> dict[str, Any] | None:
    """The rows the database refused, if this viewer may have them tried once more."""
    asks = "change.undo" if change.operation == Operation.UNDO else "change.request"
    if change.state not in retrying.RETRYABLE or not change.skipped or not allowed(actor, asks):
        return None
    rows = retrying.left_alone(change).get(SkipReason.ERROR, 0)
    return {"rows": rows, "request_key": str(uuid.uuid4())} if rows else None


def _report(report: dict[str, Any], change: Change) -> dict[str, Any]:
    return {
        "title": holding.drift_title(report),
        "limit": number(drift.limit(change)),
        "over": int(report["rows"]) - change.drift_accepted > drift.limit(change),
        "lines": [
            (capital(plural(entity)), key, record_url(entity, key), holding.drift_kind(kind))
            for entity, key, kind in report["sample"]
        ],
        "more": number(int(report["rows"]) - len(report["sample"])) if report["rows"] > len(report["sample"]) else "",
    }


def _earlier(ticket: Ticket) -> list[str]:
    """Votes of rounds before the present one."""
    words = {
        Vote.Decision.APPROVE: _("Round %(round)s: %(name)s approved, %(time)s"),
        Vote.Decision.REJECT: _("Round %(round)s: %(name)s rejected, %(time)s"),
    }
    return [
        words[Vote.Decision(vote.decision)] % {"round": vote.round, "name": vote.name, "time": moment(vote.created_at)}
        for vote in ticket.votes.all()
        if vote.round < ticket.round
    ]


@require_POST
def tune(request: HttpRequest, change_id: int) -> HttpResponse:
    """Set the pace; the next batch follows it."""
    change = execution.get(change_id)
    try:
        pacing.tune(
            change.pk,
            actor=actor_of(request),
            chunk_rows=_whole(request, "chunk_rows"),
            rows_per_second=_whole(request, "rows_per_second"),
        )
        messages.success(request, _("The next batch follows the new pace."))
    except (Conflict, Invalid) as error:
        messages.error(request, str(error))
    return redirect(inbox.url(_found(change.pk)))


@require_POST
def retry(request: HttpRequest, change_id: int) -> HttpResponse:
    """Ask for the rows that failed once more, as a change of its own."""
    change = execution.get(change_id)
    actor = require(request, "change.undo" if change.operation == Operation.UNDO else "change.request", change.entity)
    try:
        key = uuid.UUID(request.POST.get("request_key", ""))
    except ValueError:
        key = None
    try:
        outcome = gate.request_retry(change.pk, actor=actor, reason=request.POST.get("reason", ""), request_key=key)
    except (Conflict, Invalid) as error:
        messages.error(request, str(error))
        return redirect(inbox.url(_found(change.pk)))
    messages.success(request, _("The rows that failed are asked for once more."))
    return redirect(inbox.url(_found(outcome.change.pk)))


def _found(change_id: int) -> Change:
    return inbox.changes().get(pk=change_id)


def _whole(request: HttpRequest, name: str) -> int | None:
    """A whole number of the form; nothing is nothing. Raises BadPace."""
    text = request.POST.get(name, "").strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        most = pacing.CHUNK_MOST if name == "chunk_rows" else pacing.RATE_MOST
        raise BadPace(field=name, value=text[:40], least=1, most=most)
    return int(text)
