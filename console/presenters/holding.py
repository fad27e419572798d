"""What holds a run, what it waits for, when it may run and how its trial stands, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.presenters.words import moment, number, span

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def waiting(signal: str, value: float | None, since: datetime, *, now: datetime) -> str:
    """One line: for what a run waits, and since when."""
    facts = {"value": number(round(value)) if value is not None else "", "span": span(now - since)}
    sentences = {
        "replica_lag": _("waiting for %(span)s: a replica is %(value)s s behind"),
        "lock_wait": _("waiting for %(span)s: others have been waiting for locks on its tables for %(value)s s"),
        "row_locks": _("waiting for %(span)s: another program holds rows of the next batch"),
        "wal": _("waiting for %(span)s: the server writes %(value)s MB of log per second"),
        "maintenance": _("waiting for %(span)s: the database cleans up one of its tables"),
        "api_p95": _("waiting for %(span)s: the API needs %(value)s ms"),
    }
    return sentences.get(signal, _("waiting for %(span)s")) % facts


def held(why: str, facts: Mapping[str, Any], *, opens: datetime | None) -> tuple[str, str]:
    """Title and text of the banner of a paused change."""
    if why == "window":
        title = _("Paused: its window has closed.")
        if opens is None:
            return title, _("It does not open again. Stop this change; what is done stays done and can be undone.")
        return title, _("It goes on by itself when the window opens, %(time)s.") % {"time": moment(opens)}
    if why == "schema_moved":
        moved = ", ".join(str(one) for one in facts.get("moved", ()))
        text = _("%(moved)s. Going on checks that everything it writes is still there, and of the same type.")
        return _("Paused: a table has changed while it ran."), text % {"moved": moved}
    if why == "canary":
        text = _("Let it go on with the rest, or stop it and undo what the trial has done.")
        return _("Paused after its trial: %(wrong)s.") % {"wrong": trouble(facts.get("wrong", ()))}, text
    return _("This change is paused."), _(
        "Nobody works on it until somebody lets it go on. It can also be stopped for good, and what is done undone."
    )


def trouble(wrong: Any) -> str:
    """What spoke against going on after a trial."""
    found = []
    for one in wrong:
        rows = int(one.get("rows", 0))
        if one["what"] == "errors":
            words = ngettext("the database refused %(rows)s row", "the database refused %(rows)s rows", rows)
            found.append(words % {"rows": number(rows)})
        elif one["what"] == "left_alone":
            words = _("%(rows)s of %(of)s rows were left alone")
            found.append(words % {"rows": number(rows), "of": number(one.get("of"))})
        else:
            found.append(_("%(signal)s is at %(value)s") % {"signal": one.get("signal"), "value": one.get("value")})
    return ", ".join(found)


def window(value: Mapping[str, Any]) -> str:
    """When a change may run."""
    texts = []
    if "from" in value:
        names = {
            "mon": _("Mon"),
            "tue": _("Tue"),
            "wed": _("Wed"),
            "thu": _("Thu"),
            "fri": _("Fri"),
            "sat": _("Sat"),
            "sun": _("Sun"),
        }
        days = ", ".join(names[day] for day in value["days"]) if len(value["days"]) < len(DAYS) else _("daily")
        facts = {"days": days, "from": value["from"], "to": value["to"], "zone": value["zone"]}
        texts.append(_("%(days)s %(from)s to %(to)s (%(zone)s)") % facts)
    if "not_before" in value:
        texts.append(_("from %(time)s") % {"time": moment(datetime.fromisoformat(value["not_before"]))})
    if "not_after" in value:
        texts.append(_("until %(time)s") % {"time": moment(datetime.fromisoformat(value["not_after"]))})
    return ", ".join(texts)


def trial(value: Mapping[str, Any]) -> str:
    """What a trial does."""
    ends = {
        "go_on": _("then it goes on"),
        "pause": _("then it goes on, or pauses when something is wrong"),
        "take_back": _("then it goes on, or takes the rows back when something is wrong"),
    }
    facts = {"percent": f"{value['percent']:g}", "seconds": number(value["watch_s"]), "ends": ends[value["on_trouble"]]}
    return _("%(percent)s %% first, watched for %(seconds)s s, %(ends)s") % facts


@dataclass(frozen=True, slots=True)
class DriftLine:
    """A row that is not as it was frozen."""

    table: str
    key: str
    kind: str


def drift_title(report: Mapping[str, Any]) -> str:
    """How many rows, by kind."""
    kinds = []
    for name, words in (
        ("changed", _("%(rows)s changed")),
        ("gone", _("%(rows)s gone")),
        ("recreated", _("%(rows)s removed and added again")),
    ):
        if report.get(name):
            kinds.append(words % {"rows": number(report[name])})
    return ", ".join(kinds)


def drift_kind(kind: str) -> str:
    """One row's kind."""
    return {"changed": _("changed"), "gone": _("gone"), "recreated": _("removed and added again")}.get(kind, kind)
