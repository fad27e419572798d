"""What became of a pasted list of keys."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from changes.preflight.base import PASS, WARN, Check, Finding, Subject


def ask(subject: Subject) -> Finding:
    plan = subject.plan
    assert plan is not None
    if plan.keys is None:
        return Finding("keys", PASS, "by_condition")
    facts = {
        "given": plan.keys.given,
        "found": plan.keys.found,
        "unknown": plan.keys.unknown,
        "repeated": plan.keys.repeated,
        "unknown_sample": list(plan.keys.unknown_sample),
    }
    odd = plan.keys.unknown or plan.keys.repeated
    return Finding("keys", WARN if odd else PASS, "keys", facts)


CHECK = Check(name="keys", label=_("Keys"), ask=ask, planned=True)
