"""How many rows: counted in the change, estimated for the table. Beyond CUSTODY_LARGE_ROWS it takes a declaration.

A table declares it (`Governance.allow_large`), or the policy allows it to a role of the requester (`change.large`).
Bringing rows back (undo, rollback, restore) is never too large.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from access.enforcement import allowed
from changes.preflight.base import BLOCK, PASS, WARN, Check, Finding, Subject
from changes.tables import table_of

ESTIMATE = (
    "SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class WHERE oid = ANY (%s::regclass[]::oid[])"
)


def ask(subject: Subject) -> Finding:
    limit = settings.CUSTODY_LARGE_ROWS
    facts: dict[str, Any] = {"rows": subject.rows, "limit": limit, "estimate": _estimate(subject)}
    if not limit or subject.rows <= limit:
        return Finding("size", PASS, "size", facts)
    undeclared = [part for part in subject.parts if not part.entity.governance.allow_large]
    if subject.brings_back or sum(part.rows for part in undeclared) <= limit:
        return Finding("size", WARN, "size", facts)
    requester = subject.requester
    if requester is not None and allowed(requester, "change.large", subject.change.entity):
        return Finding("size", WARN, "size", {**facts, "by": "role"})
    tables = sorted({part.entity._meta.label_lower for part in undeclared})
    return Finding("size", BLOCK, "too_large", {**facts, "entities": tables})


def _estimate(subject: Subject) -> int:
    """Rows of all tables of the change as the planner knows them."""
    with connection.cursor() as cursor:
        cursor.execute(ESTIMATE, [[table_of(entity).name for entity in subject.entities]])
        return int(cursor.fetchone()[0])


CHECK = Check(
    name="size",
    label=_("Size"),
    ask=ask,
    way=_("Ask for fewer rows at once, or let somebody ask who may change so many."),
)
