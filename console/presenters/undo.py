"""What an undo or a rollback would bring back, what stands against it, and what the rules make of that, in words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.presenters.impact import Impact, Part, capital, impact
from console.presenters.words import number

Label = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class RuleOption:
    """One thing that can be done about a class of conflict."""

    value: str
    text: str
    hint: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class ConflictRow:
    entity: str
    key: str
    detail: str
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictClass:
    """One class of conflict with its rows and its rules. `there` is false while no row is of it."""

    name: str
    title: str
    meaning: str
    count: str
    tables: str
    rows: tuple[ConflictRow, ...]
    rest: str
    options: tuple[RuleOption, ...]
    outcome: str
    there: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoWords:
    """The undo page's numbers and lists, all of one look."""

    rows: str
    button: str
    approval: str
    conflicts: str
    classes: tuple[ConflictClass, ...]
    others: tuple[ConflictClass, ...]
    lost: tuple[str, ...]
    impact: Impact
    stop: str
    nothing: bool


def undo_words(
    found: Any,
    by_rule: Any,
    *,
    rules: Mapping[str, str],
    known: Mapping[str, Sequence[str]],
    approvals: int,
    stopping: Sequence[str],
    label: Label,
    table: Label,
    url: Callable[[str, object], str | None],
    operation: str = "undo",
) -> UndoWords:
    """Put two previews into words: the conflicts that are there, and what would come back by the rules."""
    parts = [
        Part(name=label(p.entity), table=table(p.entity), effect=p.effect, depth=0, rows=p.rows, conflicts=p.conflicts)
        for p in by_rule.parts
    ]
    classes = [_class(name, found, by_rule, rules, known[name], label, url, operation) for name in known]
    return UndoWords(
        rows=number(by_rule.rows),
        button=_button(by_rule.rows, operation),
        approval=_approval(approvals, rules),
        conflicts=_conflicts(found.conflicts),
        classes=tuple(one for one in classes if one.there),
        others=tuple(one for one in classes if not one.there),
        lost=tuple(f"{capital(label(entity))}: {column}" for entity, column in found.lost),
        impact=impact(parts, operation=operation),
        stop=_stop(stopping),
        nothing=not by_rule.rows,
    )


def _button(rows: int, operation: str) -> str:
    if operation == "rollback":
        return ngettext("Roll back %(rows)s row", "Roll back %(rows)s rows", rows) % {"rows": number(rows)}
    return ngettext("Undo %(rows)s row", "Undo %(rows)s rows", rows) % {"rows": number(rows)}


def _class(
    name: str,
    found: Any,
    by_rule: Any,
    rules: Mapping[str, str],
    known: Sequence[str],
    label: Label,
    url: Callable[[str, object], str | None],
    operation: str,
) -> ConflictClass:
    tallies = [tally for tally in found.tallies if tally.reason == name]
    count = len(found.lost) if name == "column_gone" else sum(tally.rows for tally in tallies)
    left = sum(tally.rows for tally in by_rule.tallies if tally.reason == name)
    rows = tuple(
        ConflictRow(label(c.entity), c.key, c.detail, url(c.entity, c.key)) for c in found.sample if c.reason == name
    )
    chosen = rules.get(name, "skip")
    return ConflictClass(
        name=name,
        title=capital(reason_word(name)),
        meaning=_meaning(name),
        count=number(count),
        tables=_tables(tallies, label),
        rows=rows,
        rest=_("and %(count)s more") % {"count": number(count - len(rows))} if count > len(rows) > 0 else "",
        options=tuple(RuleOption(rule, rule_word(rule), rule_hint(rule), rule == chosen) for rule in known),
        outcome="" if name == "column_gone" else _outcome(chosen, count, left, operation),
        there=bool(count),
    )


def _tables(tallies: Sequence[Any], label: Label) -> str:
    """Which tables; how many of each where there are several."""
    if len(tallies) == 1:
        return capital(label(tallies[0].entity))
    facts = ({"rows": number(tally.rows), "entity": label(tally.entity)} for tally in tallies)
    return ", ".join(_("%(rows)s %(entity)s") % one for one in facts)


def reason_word(reason: str) -> str:
    """A class of conflict, seen from an undo."""
    words = {
        "changed_since": _("changed since"),
        "gone": _("no longer there"),
        "unique_taken": _("a unique value is taken by another row"),
        "parent_deleted": _("the row it belongs to is deleted"),
        "key_reused": _("its key is in use again"),
        "dependants": _("other rows hang on it"),
        "column_gone": _("the column is no longer there"),
        "deleted": _("it is in the recycle bin"),
        "recreated": _("deleted and added again since it was frozen"),
        "taken_back": _("changed as a trial and taken back"),
        "error": _("refused by the database"),
        "legal_hold": _("under a legal hold"),
    }
    return words.get(reason, reason)


def _meaning(reason: str) -> str:
    words = {
        "changed_since": _("Somebody changed a field that would be put back."),
        "gone": _("The row was removed from its table by SQL."),
        "unique_taken": _("Another live row holds the value now, or two rows would come back with it."),
        "parent_deleted": _("It would come back under a row that is deleted and stays so."),
        "key_reused": _("Another row was added under the key of a removed one."),
        "dependants": _("It was added and would be archived, but rows that stay were added below it since."),
        "column_gone": _("What was written there has no place to come back to."),
    }
    return words.get(reason, "")


def rule_word(rule: str) -> str:
    """What a rule does, as an imperative."""
    words = {
        "skip": _("Leave them alone"),
        "keep_theirs": _("Keep their fields, bring back the others"),
        "force": _("Bring them back all the same"),
        "abort": _("Stop"),
    }
    return words.get(rule, rule)


def rule_hint(rule: str) -> str:
    """What a rule costs."""
    words = {
        "skip": _("the rows stay as they are now"),
        "keep_theirs": _("field by field: what somebody changed since stays"),
        "force": _("newer work is overwritten; another person has to approve"),
        "abort": _("nothing is asked for while there is such a row; a run stops at it"),
    }
    return words.get(rule, "")


def _outcome(rule: str, count: int, left: int, operation: str) -> str:
    """What becomes of the rows of one class."""
    facts = {"count": number(count), "left": number(left), "back": number(max(0, count - left))}
    if not count:
        return ""
    if rule == "force":
        text = ngettext("%(count)s row comes back all the same.", "%(count)s rows come back all the same.", count)
        return text % facts
    if rule == "keep_theirs":
        if not left:
            text = ngettext(
                "%(count)s row comes back, except for the fields that somebody changed.",
                "%(count)s rows come back, except for the fields that somebody changed.",
                count,
            )
            return text % facts
        return (
            _(
                "%(back)s rows come back, except for the fields that somebody changed; of %(left)s every field was changed, so they stay."
            )
            % facts
        )
    if rule == "abort" and operation == "rollback":
        return _("Nothing goes back while these rows are in conflict.")
    if rule == "abort":
        return _("Nothing is undone while these rows are in conflict.")
    return ngettext("%(count)s row stays as it is.", "%(count)s rows stay as they are.", count) % facts


def _approval(approvals: int, rules: Mapping[str, str]) -> str:
    if not approvals:
        return _("Few enough rows: it runs at once, without approval.")
    if "force" in rules.values():
        text = ngettext(
            "It overwrites newer work, so %(count)s other person has to approve it first.",
            "It overwrites newer work, so %(count)s other persons have to approve it first.",
            approvals,
        )
    else:
        text = ngettext(
            "%(count)s other person has to approve it first.",
            "%(count)s other persons have to approve it first.",
            approvals,
        )
    return text % {"count": number(approvals)}


def _conflicts(count: int) -> str:
    if not count:
        return ""
    return ngettext(
        "%(count)s row is in conflict with newer work. Say what is done about it.",
        "%(count)s rows are in conflict with newer work. Say what is done about each kind.",
        count,
    ) % {"count": number(count)}


def _stop(stopping: Iterable[str]) -> str:
    names = ", ".join(reason_word(name) for name in stopping)
    return _("By your rule this stops: %(reasons)s.") % {"reasons": names} if names else ""
