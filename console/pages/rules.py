"""The rules: what is in force in words, other rules written in a form, tried on the past, proposed.

Lines of the form are numbered from 0: r-0-name, r-0-entities … and its stages g-0-0-group, g-0-0-need.
"""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from access.enforcement import allowed
from approvals import amendments
from approvals.errors import BadRule
from approvals.models import Amendment, RuleVersion
from approvals.rules import book, versions
from audit import registry
from changes.operations import REGISTRY
from console.errors import status_of
from console.pages.guards import require
from console.pages.labels import plural
from console.presenters.impact import capital
from console.presenters.rules import RISKS, STARTS, rule_words, stages_words
from foundation.errors import Denied, Invalid

MOST_LINES, STAGES = 30, 3
ENVIRONMENTS = ("production", "staging", "development", "demo")
BLANK: dict[str, Any] = {"name": "", "stages": []}


@require_safe
def rule_list(request: HttpRequest) -> HttpResponse:
    """The rules in force, in words, and the versions before them."""
    actor = require(request, "rule.browse")
    found = versions.in_force()
    context = {
        **admin.site.each_context(request),
        "title": _("Rules"),
        "version": found.version,
        "rules": [words(rule) for rule in found.rules],
        "versions": RuleVersion.objects.order_by("-number")[:20],
        "open": Amendment.objects.filter(kind=Amendment.Kind.RULES, state=Amendment.State.PROPOSED).count(),
        "may_propose": allowed(actor, "amendment.propose"),
        "may_browse": allowed(actor, "amendment.browse"),
    }
    return render(request, "console/rules.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest) -> HttpResponse:
    """Write other rules. The buttons: add a rule, remove one, try, propose; what was typed stays."""
    actor = require(request, "amendment.propose")
    if request.method != "POST":
        return _form(request, versions.in_force().rules)
    act, typed = request.POST.get("act", "try"), None
    try:
        typed = _typed(request.POST)
        if act == "add":
            return _form(request, [*typed, BLANK][:MOST_LINES])
        if act.startswith("remove-"):
            return _form(request, [rule for n, rule in enumerate(typed) if act != f"remove-{n}"])
        if act == "propose":
            amendments.propose("rules", {"rules": typed}, actor=actor, reason=request.POST.get("reason", ""))
            messages.success(request, _("Proposed. The rules stay as they are until somebody else agrees."))
            return redirect("admin:amendments")
        rules = [rule.as_json() for rule in versions.read(typed)]
        return _form(request, rules, past=versions.preview(rules))
    except (Invalid, Denied) as error:
        return _form(request, typed or versions.in_force().rules, error=error)


def _form(
    request: HttpRequest, rules: list[dict[str, Any]], *, past: Any = None, error: Invalid | Denied | None = None
) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": _("Change the rules"),
        "lines": [_line(number, rule) for number, rule in enumerate(rules)],
        "entities": [(m._meta.label_lower, capital(str(m.governance.label))) for m in registry.entities()],
        "operations": [(kind.name, kind.label) for kind in REGISTRY.values()],
        "environments": ENVIRONMENTS,
        "groups": list(Group.objects.order_by("name").values_list("name", flat=True)),
        "risks": RISKS.items(),
        "starts": STARTS.items(),
        "reason": request.POST.get("reason", ""),
        "past": past,
        "differences": [_difference(one) for one in past.sample] if past is not None else [],
        "error": str(error) if error else "",
        "wrong": error.facts.get("field", "") if error else "",
        "here": settings.CUSTODY_ENV,
    }
    return render(request, "console/rules_edit.html", context, status=status_of(error) if error else 200)


def _line(number: int, rule: dict[str, Any]) -> dict[str, Any]:
    stages = list(rule.get("stages") or [])
    return {
        "number": number,
        "rule": rule,
        "threshold": rule.get("rows_over") == book.THRESHOLD,
        "rows_over": "" if rule.get("rows_over") in (None, 0, book.THRESHOLD) else rule["rows_over"],
        "stages": [(n, stages[n] if n < len(stages) else {}) for n in range(STAGES)],
    }


def _typed(posted: QueryDict) -> list[dict[str, Any]]:
    """The lines of the form as JSON rules. Raises BadRule for a number that is none."""
    numbers = sorted({int(m[1]) for key in posted if (m := re.fullmatch(r"r-(\d{1,3})-name", key))})[:MOST_LINES]
    return [_typed_rule(posted, number) for number in numbers]


def _typed_rule(posted: QueryDict, n: int) -> dict[str, Any]:
    place = f"rules.{n}"
    stages: list[dict[str, Any]] = []
    for stage in range(STAGES):
        if group := posted.get(f"g-{n}-{stage}-group", ""):
            need = posted.get(f"g-{n}-{stage}-need", "") or "1"
            stages.append({"group": group, "need": _whole(f"{place}.stages.{len(stages)}.need", need)})
    over = posted.get(f"r-{n}-rows_over", "").strip()
    up_to = posted.get(f"r-{n}-rows_up_to", "").strip()
    return {
        "name": posted.get(f"r-{n}-name", ""),
        "entities": posted.getlist(f"r-{n}-entities"),
        "operations": posted.getlist(f"r-{n}-operations"),
        "environments": posted.getlist(f"r-{n}-environments"),
        "rows_over": book.THRESHOLD if posted.get(f"r-{n}-threshold") else _whole(f"{place}.rows_over", over or "0"),
        "rows_up_to": _whole(f"{place}.rows_up_to", up_to) if up_to else None,
        "total_over": _whole(f"{place}.total_over", posted.get(f"r-{n}-total_over", "").strip() or "0"),
        "risk": posted.get(f"r-{n}-risk", "low"),
        "sensitive": bool(posted.get(f"r-{n}-sensitive")),
        "stages": stages,
        "ordered": bool(posted.get(f"r-{n}-ordered")),
        "start": posted.get(f"r-{n}-start", "person"),
        "hours": _whole(f"{place}.hours", posted.get(f"r-{n}-hours", "").strip() or "72"),
    }


def _whole(field: str, text: str) -> int:
    plain = text.strip()
    if not plain.isascii() or not plain.isdigit() or len(plain) > 15:
        raise BadRule(field=field, hint=_("a whole number"))
    return int(plain)


def words(rule: dict[str, Any]) -> Any:
    """A rule in words."""
    return rule_words(
        rule, label=_table, operation=lambda name: str(REGISTRY[name].label) if name in REGISTRY else name
    )


def _table(label: str) -> str:
    try:
        return plural(label)
    except (LookupError, Invalid):
        return label


def _difference(one: Any) -> dict[str, Any]:
    return {
        "change": one.change,
        "title": one.title,
        "table": _table(one.entity),
        "rows": one.rows,
        "before": stages_words(one.before),
        "after": stages_words(one.after),
        "looser": one.needed_after < one.needed_before,
    }
