"""Undoing a change, or statements that no change made: look, choose rules and a part, look again, ask."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from approvals import gate
from audit import registry
from audit.models import Event
from changes import conflicts, partial
from changes.event_freezing import parse_source
from changes.submission import REASON_LEAST
from changes.undoing import first_of
from console.errors import status_of
from console.pages import inbox, terms
from console.pages.changes import found
from console.pages.guards import require
from console.pages.labels import plural, record_url, table
from console.pages.shell import actor_of
from console.pages.undo_form import Asked, asked_in
from console.pages.undo_looks import Look, Subject, look, stopping
from console.presenters import choice as choice_words
from console.presenters import statement
from console.presenters.undo import UndoWords, undo_words
from foundation.actor import Actor
from foundation.errors import Conflict, CustodyError, Invalid

SAFE_AND_POST = ["GET", "HEAD", "POST"]
NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Page:
    """What the page is about: `code` is what is typed to go on."""

    subject: Subject
    code: str
    title: str
    back: str
    first: Event | None = None

    @property
    def events(self) -> list[int]:
        return list(self.subject.source["events"]) if self.subject.source is not None else []

    @property
    def transaction(self) -> bool:
        return bool(self.subject.source and self.subject.source["transaction"])

    def ask(self, actor: Actor, *, reason: str, key: uuid.UUID | None, options: dict[str, Any]) -> gate.Outcome:
        """Ask for it. Raises a Conflict or an Invalid."""
        if self.subject.change_id is not None:
            return gate.request_undo(
                self.subject.change_id, actor=actor, reason=reason, request_key=key, options=options
            )
        return gate.request_undo_of_events(
            self.events, actor=actor, reason=reason, transaction=self.transaction, options=options, request_key=key
        )


@require_http_methods(SAFE_AND_POST)
def undo(request: HttpRequest, change_id: int) -> HttpResponse:
    """Undo a change; an undo is a change of its own."""
    one = found(change_id)
    require(request, "change.undo", one.entity)
    subject = Subject(entity=one.entity, change_id=one.pk)
    return _answer(request, Page(subject, inbox.code(one), one.title, inbox.url(one)))


@require_http_methods(SAFE_AND_POST)
def undo_events(request: HttpRequest) -> HttpResponse:
    """Undo statements, ?events=12,13, and with &transaction=1 all that their transactions did."""
    given = request.POST if request.method == "POST" else request.GET
    texts = given.get("events", "").split(",")
    events = [int(one) for one in texts] if all(NUMBER.fullmatch(one) for one in texts) else []
    try:
        source = parse_source({"events": events, "transaction": given.get("transaction") == "1"})
        first = first_of(source["events"])
    except Invalid as error:
        raise Http404 from error
    require(request, "change.undo", first.entity)
    if first.change_id is not None:
        return redirect("admin:change-undo", change_id=first.change_id)
    title = statement.title(source["events"], transaction=source["transaction"])
    subject = Subject(entity=first.entity, source=source)
    return _answer(request, Page(subject, str(first.pk), title, reverse("admin:statements"), first))


def _answer(request: HttpRequest, page: Page) -> HttpResponse:
    """Show it, or ask for it when that button was pressed and what it would do was seen."""
    actor = actor_of(request)
    posted = request.method == "POST"
    asked = asked_in(request.POST) if posted else Asked()
    button = request.POST.get("do", "")
    try:
        seen = look(actor, page.subject, asked, fresh=not posted or button == "look")
    except Conflict as refused:
        messages.error(request, str(refused))
        # A fragment cannot hold another page; htmx goes there itself.
        return (
            HttpResponse(headers={"HX-Redirect": page.back}) if "HX-Request" in request.headers else redirect(page.back)
        )
    if button != "ask" or seen.error is not None:
        return _shown(request, page, asked, seen)
    if request.POST.get("seen") != seen.mark:
        return _shown(request, page, asked, seen, moved=True)
    if _typed(request) != page.code:
        return _shown(request, page, asked, seen, wrong=True)
    key = _key(request.POST.get("request_key", ""))
    try:
        outcome = page.ask(actor, reason=request.POST.get("reason", ""), key=key, options=seen.options)
    except (Conflict, Invalid) as refused:
        return _shown(request, page, asked, seen, error=refused)
    return redirect(inbox.url(found(outcome.change.pk)))


def _shown(
    request: HttpRequest,
    page: Page,
    asked: Asked,
    seen: Look,
    *,
    error: CustodyError | None = None,
    moved: bool = False,
    wrong: bool = False,
) -> HttpResponse:
    stops = stopping(seen)
    by_whom = terms.statement_of(page.subject.source) if page.subject.source else None
    context = {
        **admin.site.each_context(request),
        "title": _("Undo %(code)s") % {"code": page.code},
        "page": page,
        "statement": by_whom,
        "code": page.code,
        "back": page.back,
        "asked": asked,
        "tables": _tables(asked, seen, request.POST.get("do", "")),
        "undo": _words(asked, seen, stops),
        "unread": choice_words.uncounted(seen.error) if seen.error is not None else None,
        "seen": seen.mark,
        "blocked": bool(stops) or not seen.by_rule.rows or seen.error is not None,
        "typed": {"reason": request.POST.get("reason", ""), "code": request.POST.get("code", "")},
        "code_wrong": wrong,
        "moved": moved,
        "error": str(error) if error else "",
        "request_key": request.POST.get("request_key") or str(uuid.uuid4()),
        "least": REASON_LEAST,
    }
    status = status_of(error) if error else 422 if moved or wrong else 200
    return render(request, "console/undo.html", context, status=status)


def _words(asked: Asked, seen: Look, stops: list[str]) -> UndoWords:
    return undo_words(
        seen.found,
        seen.by_rule,
        rules=seen.options.get("conflicts", asked.rules),
        known=conflicts.RULES,
        approvals=seen.approvals,
        stopping=stops,
        label=plural,
        table=table,
        url=record_url,
    )


def _tables(asked: Asked, seen: Look, button: str) -> list[dict[str, Any]]:
    """The tables of the undo, each with how its rows and fields are chosen. Errors are said once all is typed."""
    listed = []
    for number, (label, columns) in enumerate(seen.found.scope):
        entity, chosen = registry.entity(label), asked.of(label)
        error = _placed(seen.error, label) if button in ("look", "ask") else None
        names = partial.choices(entity, columns)
        fields = [(name, _field_name(entity, name), chosen.fields is None or name in chosen.fields) for name in names]
        listed.append(
            {
                "prefix": f"t{number}-",
                "label": label,
                "name": plural(label),
                "table": table(label),
                "rows": chosen.rows,
                "form": choice_words.form(chosen.choice, entity, error),
                "fields": fields,
            }
        )
    return listed


def _placed(error: Invalid | None, label: str) -> Invalid | None:
    """An error of the chosen part as one of the table's own selection."""
    place = str(error.facts.get("field", "")) if error is not None else ""
    if error is None or not place.startswith(f"only.rows.{label}"):
        return None
    facts = {**error.facts, "field": "selection" + place.removeprefix(f"only.rows.{label}")}
    return type(error)(**facts)


def _field_name(entity: Any, name: str) -> str:
    return _("whether it is deleted") if name == "is_deleted" else str(entity._meta.get_field(name).verbose_name)


def _typed(request: HttpRequest) -> str:
    return request.POST.get("code", "").strip().removeprefix("#")


def _key(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
