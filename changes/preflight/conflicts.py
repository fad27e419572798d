"""Rows that newer work, a taken unique value or a deleted parent keeps from being brought back or changed."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from changes.preflight.base import PASS, WARN, Check, Finding, Subject


def ask(subject: Subject) -> Finding:
    plan = subject.plan
    assert plan is not None
    conflicts = sum(part.conflicts for part in plan.parts)
    return Finding("conflicts", WARN if conflicts else PASS, "conflicts", {"rows": conflicts})


CHECK = Check(name="conflicts", label=_("Conflicts"), ask=ask, planned=True)
