"""Rows in other tables that hold on to the selection: they stop a delete unless they go along."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from changes.preflight.base import BLOCK, PASS, Check, Finding, Subject


def ask(subject: Subject) -> Finding:
    plan = subject.plan
    assert plan is not None
    if not plan.protected:
        return Finding("protected_rows", PASS, "no_protected_rows")
    rows = [
        {"entity": p.entity, "relation": p.relation, "rows": p.rows, "sample": list(p.sample)} for p in plan.protected
    ]
    return Finding("protected_rows", BLOCK, "protected_rows", {"relations": rows})


CHECK = Check(
    name="protected_rows",
    label=_("Protected rows"),
    ask=ask,
    way=_("Take these rows along, or leave out the rows that they belong to."),
    planned=True,
)
