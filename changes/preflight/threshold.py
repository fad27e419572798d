"""Whether other people have to agree, and which tables ask for it."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from audit import registry
from changes.plan import over_threshold
from changes.preflight.base import PASS, WARN, Check, Finding, Subject


def ask(subject: Subject) -> Finding:
    counted = ((p.entity._meta.label_lower, p.rows, registry.threshold(p.entity)) for p in subject.parts)
    over = [
        {"entity": entity, "rows": rows, "threshold": threshold} for entity, rows, threshold in over_threshold(counted)
    ]
    code = "over_threshold" if over else "under_threshold"
    return Finding("threshold", WARN if over else PASS, code, {"over": over})


CHECK = Check(name="threshold", label=_("Approval"), ask=ask, planned=True)
