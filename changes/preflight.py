"""Preflight: every check at once, each answering pass, warn or block, with its evidence.

Results are stored as codes and facts and put into words when shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from audit import registry
from changes.plan import Plan, over_threshold

LARGE = 10_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's answer. `facts` are JSON values for the sentence of `code`."""

    check: str
    level: str
    code: str
    facts: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def inspect(plan: Plan) -> list[Finding]:
    """Run all checks over a plan."""
    return [check(plan) for check in CHECKS]


def _protected(plan: Plan) -> Finding:
    if not plan.protected:
        return Finding("protected_rows", "pass", "no_protected_rows")
    rows = [
        {"entity": p.entity, "relation": p.relation, "rows": p.rows, "sample": list(p.sample)} for p in plan.protected
    ]
    return Finding("protected_rows", "block", "protected_rows", {"relations": rows})


def _size(plan: Plan) -> Finding:
    facts = {"rows": plan.rows_total, "limit": LARGE}
    return Finding("size", "warn" if plan.rows_total > LARGE else "pass", "size", facts)


def _thresholds(plan: Plan) -> Finding:
    counted = ((p.entity._meta.label_lower, p.rows, registry.threshold(p.entity)) for p in plan.parts)
    over = [
        {"entity": entity, "rows": rows, "threshold": threshold} for entity, rows, threshold in over_threshold(counted)
    ]
    return Finding(
        "threshold", "warn" if over else "pass", "over_threshold" if over else "under_threshold", {"over": over}
    )


def _whole_table(plan: Plan) -> Finding:
    whole = plan.rows_selected > 0 and plan.rows_selected == plan.table_rows and plan.rows_selected > 1
    return Finding(
        "whole_table",
        "warn" if whole else "pass",
        "whole_table" if whole else "part_of_table",
        {"rows": plan.table_rows},
    )


def _keys(plan: Plan) -> Finding:
    if plan.keys is None:
        return Finding("keys", "pass", "by_condition")
    facts = {
        "given": plan.keys.given,
        "found": plan.keys.found,
        "unknown": plan.keys.unknown,
        "repeated": plan.keys.repeated,
        "unknown_sample": list(plan.keys.unknown_sample),
    }
    odd = plan.keys.unknown or plan.keys.repeated
    return Finding("keys", "warn" if odd else "pass", "keys", facts)


def _conflicts(plan: Plan) -> Finding:
    conflicts = sum(part.conflicts for part in plan.parts)
    return Finding("conflicts", "warn" if conflicts else "pass", "conflicts", {"rows": conflicts})


def _columns(plan: Plan) -> Finding:
    """Columns that were written and are no longer there: their values cannot come back."""
    lost = [{"entity": entity, "column": column} for entity, column in plan.lost]
    return Finding("columns", "warn" if lost else "pass", "columns_gone" if lost else "columns_there", {"lost": lost})


def _retention(plan: Plan) -> Finding:
    """A purge takes what is due; a legal hold on rows or entities belongs here too."""
    found = plan.retention
    if found is None:
        return Finding("retention", "pass", "no_retention")
    facts = {
        "rows": found.rows,
        "due": found.due,
        "next_due": found.next_due.isoformat() if found.next_due else None,
        "unknown": found.unknown,
    }
    level = "pass" if found.due == found.rows else "warn" if found.due else "block"
    return Finding("retention", level, "retention", facts)


CHECKS: tuple[Callable[[Plan], Finding], ...] = (
    _protected,
    _thresholds,
    _size,
    _whole_table,
    _keys,
    _conflicts,
    _columns,
    _retention,
)
