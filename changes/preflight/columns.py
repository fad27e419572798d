"""Columns that were written and are no longer there: their values cannot come back."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from changes.preflight.base import PASS, WARN, Check, Finding, Subject


def ask(subject: Subject) -> Finding:
    plan = subject.plan
    assert plan is not None
    lost = [{"entity": entity, "column": column} for entity, column in plan.lost]
    return Finding("columns", WARN if lost else PASS, "columns_gone" if lost else "columns_there", {"lost": lost})


CHECK = Check(name="columns", label=_("Columns"), ask=ask, planned=True)
