"""A run in words: how far, how fast, how long still. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.presenters.states import Pill, state_pill
from console.presenters.words import moment, number, span

ACTIVE = ("running", "cancelling")

BRINGING_BACK = ("restore", "undo", "rollback")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFacts:
    """One table of a run; `order` is its place in the order of work."""

    name: str
    rows: int
    done: int
    order: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A run as the database counts it. `archives`: an undo that takes away rows that had been added."""

    operation: str
    state: str
    total: int
    applied: int
    skipped: int
    rate: float | None = None
    eta_s: float | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str = ""
    parts: Sequence[PartFacts] = ()
    waiting: Sequence[str] = ()
    notice: str = ""
    archives: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One table's box; mark is ok, now or empty."""

    name: str
    text: str
    mark: str
    icon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCard:
    """Everything the card and the list line of a run print."""

    title: str
    pill: Pill
    live: bool
    tone: str
    value: str
    maximum: str
    percent: int
    done: str
    total: str
    extras: tuple[str, ...]
    boxes: tuple[Box, ...]
    news: str
    error: str
    waiting: tuple[str, ...] = ()
    notice: str = ""


def run_card(run: RunFacts) -> RunCard:
    """The card of a started change."""
    done = run.applied + run.skipped
    percent = 100 if run.state == "done" else min(99, int(100 * done / run.total)) if run.total else 0
    return RunCard(
        title=_title(run),
        pill=state_pill(run.state),
        live=run.state in ACTIVE,
        tone=_tone(run),
        value=str(done),
        maximum=str(max(run.total, 1)),
        percent=percent,
        done=number(done),
        total=number(run.total),
        extras=_extras(run),
        boxes=_boxes(run),
        news=_news(run, percent),
        error="" if run.waiting else run.error,
        waiting=tuple(run.waiting),
        notice=run.notice,
    )


def _title(run: RunFacts) -> str:
    deletes = run.operation == "delete"
    if run.operation not in BRINGING_BACK and not deletes:
        return _changing(run)
    rows = {"rows": number(run.total), "applied": number(run.applied)}
    if run.operation == "rollback":
        return _rolled_back(run.state) % rows
    if run.archives:
        return _undone(run.state) % rows
    if run.state == "done":
        return (
            _("%(applied)s rows deleted and verified") if deletes else _("%(applied)s rows brought back and verified")
        ) % rows
    if run.state == "cancelled":
        return (
            _("Stopped: %(applied)s of %(rows)s rows are deleted")
            if deletes
            else _("Stopped: %(applied)s of %(rows)s rows are back")
        ) % rows
    if run.state == "failed":
        return (
            _("Failed: %(applied)s of %(rows)s rows are deleted")
            if deletes
            else _("Failed: %(applied)s of %(rows)s rows are back")
        ) % rows
    if run.state == "paused":
        return (
            _("Paused: %(applied)s of %(rows)s rows are deleted")
            if deletes
            else _("Paused: %(applied)s of %(rows)s rows are back")
        ) % rows
    if run.state == "cancelling":
        return _("Stopping, the batch in hand finishes")
    return (_("Deleting %(rows)s rows") if deletes else _("Bringing back %(rows)s rows")) % rows


def _undone(state: str) -> str:
    """What an undo says where rows do not only come back."""
    words = {
        "done": _("%(applied)s rows undone and verified"),
        "cancelled": _("Stopped: %(applied)s of %(rows)s rows are undone"),
        "failed": _("Failed: %(applied)s of %(rows)s rows are undone"),
        "paused": _("Paused: %(applied)s of %(rows)s rows are undone"),
        "cancelling": _("Stopping, the batch in hand finishes"),
    }
    return words.get(state, _("Undoing %(rows)s rows"))


def _rolled_back(state: str) -> str:
    """What a rollback says: rows are put back, added again, archived."""
    words = {
        "done": _("%(applied)s rows rolled back and verified"),
        "cancelled": _("Stopped: %(applied)s of %(rows)s rows are rolled back"),
        "failed": _("Failed: %(applied)s of %(rows)s rows are rolled back"),
        "paused": _("Paused: %(applied)s of %(rows)s rows are rolled back"),
        "cancelling": _("Stopping, the batch in hand finishes"),
    }
    return words.get(state, _("Rolling back %(rows)s rows"))


def _changing(run: RunFacts) -> str:
    """Rows that are neither deleted nor brought back."""
    rows = {"rows": number(run.total), "applied": number(run.applied)}
    texts = {
        "done": _("%(applied)s rows changed and verified"),
        "cancelled": _("Stopped: %(applied)s of %(rows)s rows are changed"),
        "failed": _("Failed: %(applied)s of %(rows)s rows are changed"),
        "paused": _("Paused: %(applied)s of %(rows)s rows are changed"),
        "cancelling": _("Stopping, the batch in hand finishes"),
    }
    return texts.get(run.state, _("Changing %(rows)s rows")) % rows


def _tone(run: RunFacts) -> str:
    if run.state in ("paused", "cancelling", "cancelled", "failed"):
        return "warn"
    if run.state == "done":
        return "ok"
    return "delete" if run.operation == "delete" else "restore"


def _extras(run: RunFacts) -> tuple[str, ...]:
    texts = []
    if run.state in ACTIVE and run.rate:
        texts.append(_("%(rate)s rows/s") % {"rate": number(run.rate)})
    if run.state == "running" and run.eta_s is not None:
        texts.append(_("about %(span)s left") % {"span": span(timedelta(seconds=run.eta_s))})
    if run.finished_at and run.started_at:
        facts = {"time": moment(run.finished_at), "span": span(run.finished_at - run.started_at)}
        texts.append(_("finished %(time)s, in %(span)s") % facts)
    if run.skipped:
        left = ngettext("%(count)s row left alone", "%(count)s rows left alone", run.skipped)
        texts.append(left % {"count": number(run.skipped)})
    return tuple(texts)


def _boxes(run: RunFacts) -> tuple[Box, ...]:
    boxes, working = [], run.state in ACTIVE
    for part in sorted(run.parts, key=lambda part: part.order):
        mark = "ok" if part.done >= part.rows else "now" if working else ""
        working = working and mark != "now"
        icon = {"ok": "ok", "now": "play"}.get(mark, "time")
        boxes.append(Box(name=part.name, text=f"{number(part.done)} / {number(part.rows)}", mark=mark, icon=icon))
    return tuple(boxes)


def _news(run: RunFacts, percent: int) -> str:
    """Said aloud when it changes: a quarter more, or another state."""
    if run.state == "running":
        return _("%(percent)d percent done") % {"percent": percent // 25 * 25}
    return state_pill(run.state).text
