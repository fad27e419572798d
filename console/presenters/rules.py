"""Rules in words. Pure: what `approvals.rules.book` gives as JSON, as sentences of the current language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from console.presenters.words import number

RISKS = {"low": gettext_lazy("low"), "medium": gettext_lazy("medium"), "high": gettext_lazy("high")}
STARTS = {
    "person": gettext_lazy("a person starts it"),
    "window": gettext_lazy("it starts by itself when its window opens"),
}


@dataclass(frozen=True, slots=True)
class RuleWords:
    """A rule's name, when it fits, and whom it asks."""

    name: str
    when: tuple[str, ...]
    asks: tuple[str, ...]


def rule_words(rule: Mapping[str, Any], *, label: Callable[[str], str], operation: Callable[[str], str]) -> RuleWords:
    """`label` names a table, `operation` an operation."""
    return RuleWords(
        name=str(rule["name"]), when=tuple(_when(rule, label, operation)) or (_("always"),), asks=tuple(_asks(rule))
    )


def _when(rule: Mapping[str, Any], label: Callable[[str], str], operation: Callable[[str], str]) -> list[str]:
    said = []
    if rule.get("entities"):
        said.append(", ".join(label(one) for one in rule["entities"]))
    if rule.get("operations"):
        said.append(", ".join(operation(one) for one in rule["operations"]))
    if rule.get("environments"):
        said.append(_("in %(names)s") % {"names": ", ".join(rule["environments"])})
    if rule.get("rows_over") == "threshold":
        said.append(_("more rows than the table's threshold"))
    elif rule.get("rows_over"):
        said.append(_("more than %(rows)s rows of the table") % {"rows": number(rule["rows_over"])})
    if rule.get("rows_up_to") is not None:
        said.append(_("up to %(rows)s rows of the table") % {"rows": number(rule["rows_up_to"])})
    if rule.get("total_over"):
        said.append(_("more than %(rows)s rows in all") % {"rows": number(rule["total_over"])})
    if rule.get("risk", "low") != "low":
        said.append(_("risk at least %(risk)s") % {"risk": RISKS[rule["risk"]]})
    if rule.get("sensitive"):
        said.append(_("a table with sensitive fields"))
    return said


def _asks(rule: Mapping[str, Any]) -> list[str]:
    stages = rule.get("stages") or []
    if not stages:
        return [_("nobody need agree")]
    said = [stages_words(stages, ordered=bool(rule.get("ordered", True)))]
    if rule.get("start", "person") != "person":
        said.append(str(STARTS[rule["start"]]))
    if rule.get("hours", 72) != 72:
        said.append(_("within %(hours)s hours") % {"hours": rule["hours"]})
    return said


def stages_words(stages: Sequence[Mapping[str, Any]], *, ordered: bool = False) -> str:
    """“1 of security, then 2 of approver”."""
    if not stages:
        return _("nobody")
    each = [
        ngettext("%(need)s of %(group)s", "%(need)s of %(group)s", stage["need"])
        % {"need": stage["need"], "group": stage["group"]}
        for stage in stages
    ]
    return (_(", then ") if ordered and len(each) > 1 else _(" and ")).join(each)
