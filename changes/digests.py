"""The fingerprint of a change: SHA-256 over what will happen, to which rows, in which state they are.

Votes name it. It covers operation, tenant, parts with their columns, schema, and every frozen row with
its token; rows are digested in blocks of 10,000 positions, so no value grows with the change.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.db import connection

from changes.models import Change
from changes.operations import effect_of
from changes.plan import PartPlan

ROWS = """
SELECT encode(sha256(coalesce(string_agg(block, ''::bytea ORDER BY part, k), ''::bytea)), 'hex') FROM (
  SELECT part, position / 10000 AS k, sha256(string_agg(
           int2send(part) || int8send(position) || xidsend(token) || int8send(coalesce(before_id, 0))
           || int8send(coalesce(after_id, 0)) || convert_to(coalesce(key::text, ''), 'UTF8'),
           ''::bytea ORDER BY position)) AS block
    FROM changes_frozenrow WHERE tenant_id = %s AND change_id = %s GROUP BY 1, 2) blocks
"""

COLUMNS = """
SELECT coalesce(string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ',' ORDER BY a.attnum), '')
  FROM pg_attribute a WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
"""


def rows_digest(change: Change) -> str:
    """Hex digest over the frozen rows."""
    with connection.cursor() as cursor:
        cursor.execute(ROWS, [change.tenant_id, change.pk])
        digest: str = cursor.fetchone()[0]
    return digest


def schema_fingerprint(tables: list[str]) -> str:
    """Hex digest over names and types of all columns of the (quoted) tables."""
    described = {}
    with connection.cursor() as cursor:
        for table in sorted(set(tables)):
            cursor.execute(COLUMNS, [table])
            described[table] = cursor.fetchone()[0]
    return _hash(described)


def change_digest(change: Change, parts: list[PartPlan], schema: str) -> str:
    """The change's fingerprint. Title and reason are part of it: what was read is what was approved."""
    return _hash(
        {
            "operation": change.operation,
            "tenant": change.tenant_id,
            "entity": change.entity,
            "title": change.title,
            "reason": change.reason,
            "undo_of": change.undo_of_id,
            "requester": change.requester_person_id,
            "options": change.options,
            "approvals": change.approvals_least,
            "parts": [[p.number, p.entity._meta.label_lower, str(p.effect), list(p.columns), p.rows] for p in parts],
            "schema": schema,
            "rows": rows_digest(change),
            **{name: change.options[name] for name in ("window", "canary", "retry_of") if name in change.options},
            **_contents(change, parts),
        }
    )


def _contents(change: Change, parts: list[PartPlan]) -> dict[str, Any]:
    """What frozen rows get that neither they nor the options hold, part by part."""
    found = {}
    for part in parts:
        content = effect_of(change, part).content
        if content is not None:
            found[str(part.number)] = content(change, part.number)
    return {"contents": found} if found else {}


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
