"""A purge takes what is due."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from changes.preflight.base import BLOCK, PASS, WARN, Check, Finding, Subject


def ask(subject: Subject) -> Finding:
    found = subject.plan.retention if subject.plan is not None else None
    if found is None:
        return Finding("retention", PASS, "no_retention")
    facts = {
        "rows": found.rows,
        "due": found.due,
        "next_due": found.next_due.isoformat() if found.next_due else None,
        "unknown": found.unknown,
    }
    level = PASS if found.due == found.rows else WARN if found.due else BLOCK
    return Finding("retention", level, "retention", facts)


CHECK = Check(name="retention", label=_("Retention"), ask=ask, way=_("Wait until they are due."), planned=True)
