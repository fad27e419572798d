"""A tenant's rules: what is in force, what a proposal would have asked of the last ninety days."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from django.contrib.auth.models import Group
from django.db import connection

from approvals.rules import book, house

DAYS, MOST, SHOWN = 90, 10_000, 20


@dataclass(frozen=True, slots=True)
class InForce:
    """Version 0 is what was shipped."""

    version: int
    rules: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Difference:
    """A change of the past that other rules would have asked other people for."""

    change: int
    title: str
    operation: str
    entity: str
    rows: int
    before: list[dict[str, Any]]
    after: list[dict[str, Any]]
    needed_before: int
    needed_after: int


@dataclass(frozen=True, slots=True)
class PastWith:
    """What a proposal would have meant for the changes of the last days.

    changes  how many were looked at, the newest `MOST`
    more, fewer, others  asked of more people, of fewer, of as many but others
    """

    days: int
    changes: int
    more: int
    fewer: int
    others: int
    sample: list[Difference] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def in_force() -> InForce:
    """The current tenant's rules."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT custody.rules_in_force(custody.tenant())")
        found = _json(cursor.fetchone()[0])
    return InForce(int(found["version"]), found["rules"])


def read(rules: Any) -> tuple[book.Rule, ...]:
    """Rules with today's tables, groups and thresholds, the most special first. Raises BadRule, RulesConflict."""
    known = house.entities()
    groups = Group.objects.values_list("name", flat=True)
    return book.read(rules, entities=known, groups=groups, threshold=known.__getitem__)


PAST = """
WITH asked AS (
  SELECT c.id, c.title, c.operation, c.entity, c.rows_total,
         custody.required_by(%(rules)s::jsonb, f.facts, h) -> 'stages' AS after,
         custody.required(c.tenant_id, f.facts) -> 'stages' AS before
    FROM (SELECT * FROM public.changes_change n
           WHERE n.created_at > now() - make_interval(days => %(days)s) AND n.state <> 'draft'
           ORDER BY n.id DESC LIMIT %(most)s) c
   CROSS JOIN public.approvals_house h
   CROSS JOIN LATERAL custody.change_facts(c.tenant_id, c.id) AS f(facts)),
counted AS (
  SELECT a.*, (SELECT coalesce(sum((s ->> 'need')::integer), 0) FROM jsonb_array_elements(a.before) s) AS needed_before,
         (SELECT coalesce(sum((s ->> 'need')::integer), 0) FROM jsonb_array_elements(a.after) s) AS needed_after
    FROM asked a)
SELECT count(*), count(*) FILTER (WHERE needed_after > needed_before), count(*) FILTER (WHERE needed_after < needed_before),
       count(*) FILTER (WHERE needed_after = needed_before AND before <> after),
       (SELECT coalesce(jsonb_agg(to_jsonb(d)), '[]') FROM (
          SELECT id, title, operation, entity, rows_total, before, after, needed_before, needed_after FROM counted
           WHERE before <> after ORDER BY needed_after < needed_before DESC, id DESC LIMIT %(shown)s) d)
  FROM counted
"""


def preview(rules: list[dict[str, Any]]) -> PastWith:
    """What these rules, as `read` gives them, would have asked of the changes of the last ninety days."""
    with connection.cursor() as cursor:
        cursor.execute(PAST, {"rules": json.dumps(rules), "days": DAYS, "most": MOST, "shown": SHOWN})
        changes, more, fewer, others, sample = cursor.fetchone()
    return PastWith(
        days=DAYS,
        changes=changes,
        more=more,
        fewer=fewer,
        others=others,
        sample=[Difference(one.pop("id"), rows=one.pop("rows_total"), **one) for one in _json(sample)],
    )


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
