"""The first page: what waits, what runs, what happened. A section that fails says so; the others stay."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.db import DatabaseError, connection
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from access.enforcement import allowed
from audit.models import Event
from changes.models import Change, Heartbeat
from changes.states import UNDOABLE, UNFINISHED, State
from console.pages import detail, inbox
from console.pages.guards import require
from console.pages.shell import actor_of
from console.presenters import activity
from console.presenters.chart import Day, chart
from console.presenters.menu import waiting_count
from console.presenters.overview import figures, greeting, worker_note
from foundation.actor import Actor

DAYS, SMALL_DAYS = 14, 7
LIST, FEED = 5, 8
FEED_ACTS = (
    "change.frozen",
    "ticket.vote",
    "ticket.rejected",
    "ticket.sent_back",
    "ticket.asked_again",
    "ticket.withdrawn",
    "ticket.expired",
    "change.started",
    "change.done",
    "change.failed",
)

# Chunks of changes only: their events carry the change, and the index over them is small.
PER_DAY = """
SELECT (e.occurred_at AT TIME ZONE %(zone)s)::date,
       coalesce(sum(e.affected_rows) FILTER (WHERE c.operation = 'delete'), 0)::bigint,
       coalesce(sum(e.affected_rows) FILTER (WHERE c.operation <> 'delete'), 0)::bigint
  FROM audit_event e
  JOIN changes_change c ON c.tenant_id = e.tenant_id AND c.id = e.change_id
 WHERE e.tenant_id = %(tenant)s AND e.change_id IS NOT NULL AND e.operation = '~' AND e.occurred_at >= %(since)s
   AND NOT EXISTS (SELECT FROM changes_changepart p WHERE p.tenant_id = c.tenant_id AND p.change_id = c.id
                      AND p.entity = e.entity AND p.effect = 'clear')
 GROUP BY 1
"""


@require_safe
def overview(request: HttpRequest) -> TemplateResponse:
    """Everybody's first page; who may see no change gets a word about roles instead."""
    actor = actor_of(request)
    context = {
        **admin.site.each_context(request),
        "title": _("Overview"),
        "greeting": greeting(actor.name, timezone.now()),
    }
    if not allowed(actor, "change.browse"):
        template = "console/overview_bare.html"
        return TemplateResponse(request, template, context)
    days = _section(lambda: _days(actor)) or []
    waiting = inbox.changes().filter(inbox.waiting_for(actor)).order_by("ticket__expires_at", "pk")[:LIST]
    context |= {
        "worker": worker_note(_heartbeat(), now=timezone.now()),
        "waiting": inbox.rows(waiting),
        "open_count": _open_count(),
        "waiting_count": waiting_count(context["menu"]),
        "days_failed": not days,
        "chart": chart(days) if days else None,
        "chart_small": chart(days[-SMALL_DAYS:], width=340, height=180) if days else None,
        "feed": _section(_feed),
        **_running(),
    }
    context["figures"] = figures(
        waiting=context["waiting_count"],
        running=context["running_count"],
        deleted=days[-1].deleted if days else None,
        undoable=_undoable(),
    )
    return TemplateResponse(request, "console/overview.html", context)


@require_safe
def running(request: HttpRequest) -> HttpResponse:
    """The polled list of what runs; 286 ends the polling when nothing does."""
    require(request, "change.browse")
    context = _running()
    return render(request, "console/parts/running.html", context, status=200 if context["runs"] else 286)


def _section(read: Callable[[], Any]) -> Any:
    """A section's values, or None when the database refuses: the page shows what it has."""
    try:
        return read()
    except DatabaseError:
        return None


def _running() -> dict[str, Any]:
    active = list(inbox.changes().filter(state__in=UNFINISHED)[: LIST + 1])
    return {
        "runs": [(inbox.code(one), inbox.url(one), one.title, detail.run_card_of(one)) for one in active[:LIST]],
        "running_count": len(active) if len(active) <= LIST else Change.objects.filter(state__in=UNFINISHED).count(),
    }


def _open_count() -> int:
    return Change.objects.filter(state__in=inbox.OPEN).count()


def _undoable() -> int:
    """Ended changes with rows done that no other change undoes or has undone."""
    taken = Change.objects.filter(undo_of_id=OuterRef("pk")).exclude(state=State.REFUSED)
    ended = Change.objects.filter(state__in=UNDOABLE, applied__gt=0)
    return ended.filter(~Exists(taken)).count()


def _heartbeat() -> datetime | None:
    return Heartbeat.objects.filter(name="worker").values_list("at", flat=True).first()


def _days(actor: Actor) -> list[Day]:
    """Rows deleted and brought back on each of the last days, today last."""
    today = timezone.localdate()
    since = timezone.make_aware(datetime.combine(today - timedelta(days=DAYS - 1), time()))
    with connection.cursor() as cursor:
        cursor.execute(
            PER_DAY, {"zone": timezone.get_current_timezone_name(), "tenant": actor.tenant_id, "since": since}
        )
        found: dict[date, tuple[int, int]] = {day: (deleted, restored) for day, deleted, restored in cursor.fetchall()}
    dates = [today - timedelta(days=DAYS - 1 - n) for n in range(DAYS)]
    return [Day(one, *found.get(one, (0, 0))) for one in dates]


def _feed() -> list[activity.News]:
    """The latest acts about changes, newest first."""
    acts = Event.objects.filter(operation=Event.Operation.ACT, change_id__isnull=False, action__in=FEED_ACTS)
    events = list(acts.order_by("-pk")[:FEED])
    known = {one.pk: one for one in inbox.changes().filter(pk__in={event.change_id for event in events})}
    entries = []
    for event in events:
        change = known.get(event.change_id or 0)
        code = inbox.code(change) if change else f"C-{event.change_id}"
        url = inbox.url(change) if change else ""
        entries.append(
            activity.news(act=event.action, who=event.operator_name, code=code, url=url, at=event.occurred_at)
        )
    return entries
