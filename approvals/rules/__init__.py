"""Who must agree to what. Rules are data; the database evaluates them (`approvals/sql/rules_v1.sql`)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection


@dataclass(frozen=True, slots=True)
class Requirement:
    """What the rules ask of a change.

    approvals  other persons in all; 0: nobody need agree
    over       (entity, rows, threshold) of the tables over their threshold
    stages     (group, approvals) in their order
    by         entity → the rule that decided
    version    of the tenant's rules; 0 is what was shipped
    """

    approvals: int
    over: tuple[tuple[str, int, int], ...] = ()
    stages: tuple[tuple[str, int], ...] = ()
    by: tuple[tuple[str, str], ...] = ()
    version: int = 0
    risk: str = "low"


def requirement(operation: str, parts: Iterable[tuple[str, int]], *, least: int = 0) -> Requirement:
    """What the current tenant's rules ask of so many rows per table under one operation, never less than `least`."""
    facts = {
        "operation": operation,
        "least": least,
        "parts": [{"entity": entity, "rows": rows} for entity, rows in parts],
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT custody.required(custody.tenant(), %s::jsonb)", [json.dumps(facts)])
        return parse(_loaded(cursor.fetchone()[0]))


def of_change(tenant_id: int, change_id: int) -> Requirement:
    """What the tenant's rules ask of a frozen change."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT custody.required(%(t)s, custody.change_facts(%(t)s, %(c)s))", {"t": tenant_id, "c": change_id}
        )
        return parse(_loaded(cursor.fetchone()[0]))


def parse(found: dict[str, Any]) -> Requirement:
    """What the database answered, or what a ticket keeps of it."""
    stages = tuple((stage["group"], int(stage["need"])) for stage in found.get("stages", ()))
    return Requirement(
        approvals=sum(need for _, need in stages),
        over=tuple((entity, int(rows), int(limit)) for entity, rows, limit in found.get("over", ())),
        stages=stages,
        by=tuple(sorted(found.get("rules", {}).items())),
        version=int(found.get("version") or 0),
        risk=str(found.get("risk", "low")),
    )


def _loaded(value: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(value) if isinstance(value, str) else value
    return loaded
