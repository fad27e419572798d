"""Rows of the change on which a legal hold stands: nothing happens to them until it is lifted."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from changes.holds import standing
from changes.preflight.base import BLOCK, PASS, Check, Finding, Subject


def ask(subject: Subject) -> Finding:
    change = subject.change
    parts = [part for part in subject.parts if part.effect not in standing.COMING]
    holds = standing.active(change.tenant_id, [part.entity._meta.label_lower for part in parts])
    if not holds:
        return Finding("legal_hold", PASS, "not_held")
    tables = []
    for part in parts:
        label = part.entity._meta.label_lower
        if rows := standing.count(change, part.number, label):
            sample = [key for _position, key in standing.held_rows(change, part.number, label, most=5)]
            tables.append({"entity": label, "rows": rows, "sample": sample})
    if not tables:
        return Finding("legal_hold", PASS, "not_held")
    named = [{"id": hold.pk, "name": hold.name, "matter": hold.matter} for hold in holds]
    facts = {"rows": sum(int(str(table["rows"])) for table in tables), "tables": tables, "holds": named}
    return Finding("legal_hold", BLOCK, "held", facts)


CHECK = Check(
    name="legal_hold",
    label=_("Legal hold"),
    ask=ask,
    way=_("Leave out the rows on hold, or have somebody else lift the hold."),
)
