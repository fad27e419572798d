"""The preflight's findings in words: worst first. Stored as codes and facts, translated when shown. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.presenters import check_words
from console.presenters.words import number

Facts = Mapping[str, Any]
ORDER = {"block": 0, "warn": 1, "pass": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line; evidence lines open below it.

    way    what to do about a block
    fix    what the button says that leaves the rows out, empty without one
    since  it has become worse since the change was asked for
    """

    tone: str
    name: str
    text: str
    evidence: tuple[str, ...] = ()
    check: str = ""
    way: str = ""
    fix: str = ""
    since: bool = False

    @property
    def icon(self) -> str:
        return self.tone

    @property
    def spoken(self) -> str:
        return {"bad": _("Blocks:"), "warn": _("Attention:"), "ok": _("Passed:")}[self.tone]


def checks(
    findings: Iterable[Mapping[str, Any]],
    *,
    label: Callable[[str], str],
    known: Mapping[str, tuple[str, str]] | None = None,
    worse: Iterable[str] = (),
) -> tuple[Check, ...]:
    """Findings as lines, worst first. `label` names an entity in the reader's language.

    known  check → its name and way out, as they are registered
    worse  checks that found less when the change was asked for
    """
    ordered = sorted(findings, key=lambda finding: ORDER.get(finding["level"], 0))
    since = frozenset(worse)
    return tuple(_check(one, label, known or {}, since) for one in ordered if not _is_silent(one))


def _is_silent(finding: Mapping[str, Any]) -> bool:
    """A check that had nothing to look at is not worth a line."""
    return finding["code"] in SILENT or (finding["code"] == "conflicts" and not finding["facts"].get("rows"))


def _check(
    finding: Mapping[str, Any],
    label: Callable[[str], str],
    known: Mapping[str, tuple[str, str]],
    since: frozenset[str],
) -> Check:
    tone = {"block": "bad", "warn": "warn"}.get(finding["level"], "ok")
    facts: Facts = finding.get("facts") or {}
    name, way = known.get(finding["check"], (finding["check"], ""))
    say = SENTENCES.get(finding["code"], _own)
    text, evidence = say(facts, label)
    return Check(
        tone=tone,
        name=name,
        text=text or finding["code"],
        evidence=tuple(evidence),
        check=finding["check"],
        way=way if tone == "bad" or facts.get("later") else "",
        fix=_fix(finding) if tone == "bad" else "",
        since=finding["check"] in since,
    )


def _fix(finding: Mapping[str, Any]) -> str:
    """What the button says, of checks whose rows can be left out."""
    facts = finding.get("facts") or {}
    if finding["code"] == "protected_rows":
        return _("Leave out the rows that they belong to")
    if finding["code"] == "held":
        rows = facts.get("rows", 0)
        text = ngettext("Leave out the %(rows)s row on hold", "Leave out the %(rows)s rows on hold", rows)
        return text % {"rows": number(rows)}
    return ""


Said = tuple[str, Iterable[str]]


def _protected(facts: Facts, label: Callable[[str], str]) -> Said:
    relations = facts.get("relations", [])
    total = sum(item["rows"] for item in relations)
    text = ngettext(
        "%(rows)s row holds on to the selection and stops this change.",
        "%(rows)s rows hold on to the selection and stop this change.",
        total,
    ) % {"rows": number(total)}
    line = _("%(entity)s: %(rows)s, the first keys are %(sample)s")
    return text, [
        line % {"entity": label(item["entity"]), "rows": number(item["rows"]), "sample": ", ".join(item["sample"])}
        for item in relations
    ]


def _none_protected(facts: Facts, label: Callable[[str], str]) -> Said:
    return _("No row in another table stops this."), ()


def _size(facts: Facts, label: Callable[[str], str]) -> Said:
    rows, limit = facts.get("rows", 0), facts.get("limit", 0)
    if limit and rows > limit:
        text = _("%(rows)s rows is more than %(limit)s. Two people have to approve.")
    else:
        text = _("%(rows)s rows, within the limit of %(limit)s for one approval.")
    lines = [_("The role of whoever asked allows so many.")] if facts.get("by") == "role" else []
    return text % {"rows": number(rows), "limit": number(limit)}, [*lines, *estimated(facts)]


def estimated(facts: Facts) -> list[str]:
    """What the database believes the tables to hold."""
    if not facts.get("estimate"):
        return []
    return [_("The tables hold about %(rows)s rows.") % {"rows": number(facts["estimate"])}]


def _over_threshold(facts: Facts, label: Callable[[str], str]) -> Said:
    line = _("%(entity)s: %(rows)s rows, free up to %(threshold)s")
    lines = [
        line % {"entity": label(item["entity"]), "rows": number(item["rows"]), "threshold": number(item["threshold"])}
        for item in facts.get("over", [])
    ]
    return _("Another person has to approve this."), lines


def _under_threshold(facts: Facts, label: Callable[[str], str]) -> Said:
    return _("Few enough rows to need no approval."), ()


def _whole(facts: Facts, label: Callable[[str], str]) -> Said:
    return _("This is every row of the table (%(rows)s).") % {"rows": number(facts.get("rows", 0))}, ()


def _part(facts: Facts, label: Callable[[str], str]) -> Said:
    rows = facts.get("rows")
    if not rows:
        return _("Not the whole table."), ()
    return _("Not the whole table, which has %(rows)s rows.") % {"rows": number(rows)}, ()


def _keys(facts: Facts, label: Callable[[str], str]) -> Said:
    text = _("%(found)s rows found for %(given)s keys given.") % {
        "found": number(facts.get("found", 0)),
        "given": number(facts.get("given", 0)),
    }
    lines = []
    if unknown := facts.get("unknown"):
        words = ngettext("%(count)s key is not there: %(sample)s", "%(count)s keys are not there: %(sample)s", unknown)
        lines.append(words % {"count": number(unknown), "sample": ", ".join(facts.get("unknown_sample", []))})
    if repeated := facts.get("repeated"):
        words = ngettext("%(count)s key was given again", "%(count)s keys were given again", repeated)
        lines.append(words % {"count": number(repeated)})
    return text, lines


def _conflicts(facts: Facts, label: Callable[[str], str]) -> Said:
    rows = facts.get("rows", 0)
    text = ngettext(
        "%(rows)s row is in conflict with newer work and will be left alone.",
        "%(rows)s rows are in conflict with newer work and will be left alone.",
        rows,
    )
    return text % {"rows": number(rows)}, ()


def _columns_gone(facts: Facts, label: Callable[[str], str]) -> Said:
    lost = facts.get("lost", [])
    text = ngettext(
        "%(count)s column is no longer there; what it held cannot come back.",
        "%(count)s columns are no longer there; what they held cannot come back.",
        len(lost),
    )
    return text % {"count": number(len(lost))}, [f"{label(item['entity'])}: {item['column']}" for item in lost]


def _retention(facts: Facts, label: Callable[[str], str]) -> Said:
    rows, due = facts.get("rows", 0), facts.get("due", 0)
    text = ngettext("%(due)s of %(rows)s row is due.", "%(due)s of %(rows)s rows are due.", rows)
    lines = []
    if next_due := facts.get("next_due"):
        lines.append(_("The first of the others is due on %(day)s.") % {"day": next_due[:10]})
    line = _("%(count)s rows under the policy “%(policy)s”, which has no end: they are never removed.")
    lines += [line % {"count": number(c), "policy": policy} for policy, c in (facts.get("unknown") or {}).items()]
    return text % {"rows": number(rows), "due": number(due)}, lines


def _own(facts: Facts, label: Callable[[str], str]) -> Said:
    """A project's check says it itself."""
    return str(facts.get("text", "")), [str(line) for line in facts.get("lines", ())]


# Checks that had nothing to look at.
SILENT = frozenset({"by_condition", "columns_there", "no_retention"})
SENTENCES: dict[str, Callable[[Facts, Callable[[str], str]], Said]] = {
    "protected_rows": _protected,
    "no_protected_rows": _none_protected,
    "size": _size,
    "over_threshold": _over_threshold,
    "under_threshold": _under_threshold,
    "whole_table": _whole,
    "part_of_table": _part,
    "keys": _keys,
    "conflicts": _conflicts,
    "columns_gone": _columns_gone,
    "retention": _retention,
    **check_words.SENTENCES,
}
