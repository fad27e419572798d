"""Going back to a snapshot: look, choose tables and rules, look again, ask."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from approvals import gate
from audit import registry
from audit.errors import UnknownEntity
from audit.models import Snapshot
from audit.snapshots import state
from changes import conflicts
from changes.states import Effect, Operation
from changes.submission import REASON_LEAST
from changes.undoing import UndoPreview, preview_rollback
from console.errors import status_of
from console.pages import inbox
from console.pages.changes import found
from console.pages.guards import require
from console.pages.labels import plural, record_url, table
from console.pages.undo_form import Asked, asked_in, mark_of
from console.pages.undo_looks import SAMPLE, Look, look, stopping
from console.presenters.impact import capital
from console.presenters.undo import UndoWords, undo_words
from console.presenters.words import number
from foundation.actor import Actor
from foundation.errors import Conflict, CustodyError, Invalid, NotFound

REFUSALS = (Conflict, Invalid, NotFound)


@dataclass(frozen=True, slots=True)
class Target:
    """The snapshot and the tables of it that go back."""

    snapshot: Snapshot
    entities: tuple[str, ...]
    operation: str = Operation.ROLLBACK

    @property
    def sign(self) -> list[Any]:
        return ["snapshot", self.snapshot.pk, list(self.entities)]

    def options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options as the engine takes them."""
        return {**options, "entities": list(self.entities)}

    def preview(self, actor: Actor, options: Mapping[str, Any]) -> UndoPreview:
        """Count it for real. Raises what `preview_rollback` does."""
        return preview_rollback(self.snapshot.pk, actor=actor, options=self.options(options), size=SAMPLE)


@require_http_methods(["GET", "HEAD", "POST"])
def roll_back(request: HttpRequest, snapshot_id: int) -> HttpResponse:
    """Show what going back would do, or ask for it when that button was pressed and it was seen."""
    snapshot = state.get(snapshot_id)
    actor = require(request, "change.rollback", f"S-{snapshot_id}")
    posted, button = request.method == "POST", request.POST.get("do", "")
    held = _held(snapshot)
    chosen = tuple(label for label in held if not posted or label in request.POST.getlist("entity"))
    target, asked = Target(snapshot, chosen), asked_in(request.POST) if posted else Asked()
    if not chosen:
        return _shown(request, target, held, asked, None)
    try:
        seen = look(actor, target, asked, fresh=not posted or button == "look")
    except REFUSALS as refused:
        return _shown(request, target, held, asked, None, error=refused)
    if button != "ask":
        return _shown(request, target, held, asked, seen)
    return _ask(request, actor, target, held, asked, seen)


def _ask(
    request: HttpRequest, actor: Actor, target: Target, held: tuple[str, ...], asked: Asked, seen: Look
) -> HttpResponse:
    """Ask for what was looked at, by whoever typed the snapshot's name."""
    if request.POST.get("seen") != _mark(target, seen):
        return _shown(request, target, held, asked, seen, moved=True)
    if request.POST.get("code", "").strip() != target.snapshot.name.strip():
        return _shown(request, target, held, asked, seen, wrong=True)
    try:
        outcome = gate.rollback_to_snapshot(
            target.snapshot.pk,
            actor=actor,
            reason=request.POST.get("reason", ""),
            request_key=_key(request.POST.get("request_key", "")),
            options=target.options(seen.options),
        )
    except REFUSALS as refused:
        return _shown(request, target, held, asked, seen, error=refused)
    if outcome is None:
        messages.info(request, _("Nothing was asked for: everything is as it was then."))
        return redirect("admin:snapshot", snapshot_id=target.snapshot.pk)
    return redirect(inbox.url(found(outcome.change.pk)))


def _shown(
    request: HttpRequest,
    target: Target,
    held: tuple[str, ...],
    asked: Asked,
    seen: Look | None,
    *,
    error: CustodyError | None = None,
    moved: bool = False,
    wrong: bool = False,
) -> HttpResponse:
    stops = stopping(seen) if seen else []
    name = target.snapshot.name
    context = {
        **admin.site.each_context(request),
        "title": _("Roll back to %(name)s") % {"name": name},
        "snapshot": target.snapshot,
        "back": reverse("admin:snapshot", args=[target.snapshot.pk]),
        "tables": [_table(label, target, seen) for label in held],
        "undo": _words(asked, seen, stops) if seen else None,
        "seen": _mark(target, seen) if seen else "",
        "blocked": seen is None or bool(stops) or not seen.by_rule.rows,
        "unchosen": not target.entities,
        "typed": {"reason": request.POST.get("reason", ""), "code": request.POST.get("code", "")},
        "code_wrong": wrong,
        "moved": moved,
        "error": str(error) if error else "",
        "request_key": request.POST.get("request_key") or str(uuid.uuid4()),
        "least": REASON_LEAST,
    }
    status = status_of(error) if error else 422 if moved or wrong else 200
    return render(request, "console/rollback.html", context, status=status)


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
        operation=Operation.ROLLBACK,
    )


def _held(snapshot: Snapshot) -> tuple[str, ...]:
    """Tables of the snapshot that are still governed; no other can go back."""
    return tuple(label for label in snapshot.tables.values_list("entity", flat=True) if _governed(label))


def _governed(label: str) -> bool:
    try:
        registry.entity(label)
    except UnknownEntity:
        return False
    return True


def _table(label: str, target: Target, seen: Look | None) -> dict[str, Any]:
    """One table: whether it is chosen, and how many of its rows would be written or stay in conflict."""
    parts = [p for p in seen.by_rule.parts if p.entity == label and p.effect != Effect.LINK] if seen else []
    chosen = label in target.entities
    rows = sum(part.rows for part in parts)
    return {
        "label": label,
        "name": capital(plural(label)),
        "table": table(label),
        "chosen": chosen,
        "rows": number(rows) if chosen and rows else "",
        "same": bool(seen) and chosen and not parts,
    }


def _mark(target: Target, seen: Look) -> str:
    """What was looked at: tables, rules."""
    return mark_of([target.sign, seen.options])


def _key(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
