"""Rules as they are written: read with errors that name the place, ordered, conflicting ones refused. Pure.

A rule is a box: tables × operations × environments × rows × rows in all × risk × sensitivity. Of two rules that fit a
change the one whose box lies inside the other's decides. Two boxes that overlap without one lying inside the other, and
that ask for different things, are a conflict: nobody could tell which of them decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from approvals.errors import BadRule, RulesConflict
from changes.operations import REGISTRY

RISKS = ("low", "medium", "high")
STARTS = ("person", "window")
THRESHOLD = "threshold"
MEMBERS = (
    "name",
    "entities",
    "operations",
    "environments",
    "rows_over",
    "rows_up_to",
    "total_over",
    "risk",
    "sensitive",
    "stages",
    "ordered",
    "start",
    "hours",
)
MOST_RULES, MOST_STAGES, MOST_NEEDED, MOST_HOURS = 100, 5, 20, 720
Threshold = Callable[[str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. An empty set of names means all of them; `rows_over` may be the table's own threshold.

    stages  (group, approvals needed): empty when nobody need agree
    hours   how long a ticket waits
    """

    name: str
    entities: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()
    environments: frozenset[str] = frozenset()
    rows_over: int | str = 0
    rows_up_to: int | None = None
    total_over: int = 0
    risk: str = "low"
    sensitive: bool = False
    stages: tuple[tuple[str, int], ...] = ()
    ordered: bool = True
    start: str = "person"
    hours: int = 72

    def as_json(self) -> dict[str, Any]:
        """What `read` reads and the database evaluates."""
        return {
            "name": self.name,
            "entities": sorted(self.entities),
            "operations": sorted(self.operations),
            "environments": sorted(self.environments),
            "rows_over": self.rows_over,
            "rows_up_to": self.rows_up_to,
            "total_over": self.total_over,
            "risk": self.risk,
            "sensitive": self.sensitive,
            "stages": [{"group": group, "need": need} for group, need in self.stages],
            "ordered": self.ordered,
            "start": self.start,
            "hours": self.hours,
        }

    @property
    def outcome(self) -> tuple[Any, ...]:
        """What it asks for."""
        return self.stages, self.ordered and len(self.stages) > 1, self.start, self.hours

    def rows(self, entity: str, threshold: Threshold) -> tuple[float, float]:
        """Rows of the table it speaks of: more than the first, up to the second."""
        low = threshold(entity) if self.rows_over == THRESHOLD else int(self.rows_over)
        return low, math.inf if self.rows_up_to is None else self.rows_up_to


def read(found: Any, *, entities: Iterable[str], groups: Iterable[str], threshold: Threshold) -> tuple[Rule, ...]:
    """Rules from JSON, the most special first.

    Raises BadRule, which names the rule and its member, and RulesConflict, which names two rules.
    """
    if not isinstance(found, list) or len(found) > MOST_RULES:
        raise BadRule(field="rules", hint=f"a list of at most {MOST_RULES} rules")
    known = frozenset(entities)
    names = _Names(known, frozenset(groups))
    rules = [_rule(f"rules.{number}", one, names) for number, one in enumerate(found)]
    for number, rule in enumerate(rules):
        if rule.name in {other.name for other in rules[:number]}:
            raise BadRule(field=f"rules.{number}.name", hint="a name that no other rule has")
    return _ordered(rules, known, threshold)


@dataclass(frozen=True, slots=True)
class _Names:
    entities: frozenset[str]
    groups: frozenset[str]


def _rule(place: str, found: Any, names: _Names) -> Rule:
    if not isinstance(found, Mapping):
        raise BadRule(field=place, hint="an object")
    unknown = sorted(set(found) - set(MEMBERS))
    if unknown:
        raise BadRule(field=f"{place}.{unknown[0]}", hint="one of " + ", ".join(MEMBERS))
    name = found.get("name")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 80:
        raise BadRule(field=f"{place}.name", hint="a name of at most 80 characters")
    rows_over = found.get("rows_over", 0)
    rule = Rule(
        name=name.strip(),
        entities=_set(place, "entities", found, names.entities),
        operations=_set(place, "operations", found, frozenset(REGISTRY)),
        environments=_set(place, "environments", found, None),
        rows_over=THRESHOLD if rows_over == THRESHOLD else _number(place, "rows_over", found, 0),
        rows_up_to=None if found.get("rows_up_to") is None else _number(place, "rows_up_to", found, 0),
        total_over=_number(place, "total_over", found, 0),
        risk=_one(place, "risk", found, RISKS),
        sensitive=_flag(place, "sensitive", found, False),
        stages=_stages(place, found.get("stages"), names.groups),
        ordered=_flag(place, "ordered", found, True),
        start=_one(place, "start", found, STARTS),
        hours=_number(place, "hours", found, 72),
    )
    if not 1 <= rule.hours <= MOST_HOURS:
        raise BadRule(field=f"{place}.hours", hint=f"1 to {MOST_HOURS}")
    if rule.rows_up_to is not None and rule.rows_over != THRESHOLD and rule.rows_up_to <= int(rule.rows_over):
        raise BadRule(field=f"{place}.rows_up_to", hint="more than rows_over")
    return rule


def _set(place: str, member: str, found: Mapping[str, Any], known: frozenset[str] | None) -> frozenset[str]:
    value = found.get(member) or []
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise BadRule(field=f"{place}.{member}", hint="a list of names; empty for all")
    for one in value:
        if known is not None and one not in known:
            raise BadRule(field=f"{place}.{member}", hint="of " + ", ".join(sorted(known)))
    return frozenset(value)


def _number(place: str, member: str, found: Mapping[str, Any], otherwise: int) -> int:
    value = found.get(member, otherwise)
    value = otherwise if value is None else value
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise BadRule(field=f"{place}.{member}", hint="a whole number")
    return value


def _one(place: str, member: str, found: Mapping[str, Any], known: tuple[str, ...]) -> str:
    value = found.get(member) or known[0]
    if value not in known:
        raise BadRule(field=f"{place}.{member}", hint="one of " + ", ".join(known))
    return str(value)


def _flag(place: str, member: str, found: Mapping[str, Any], otherwise: bool) -> bool:
    value = found.get(member)
    if value is not None and not isinstance(value, bool):
        raise BadRule(field=f"{place}.{member}", hint="true or false")
    return otherwise if value is None else value


def _stages(place: str, found: Any, groups: frozenset[str]) -> tuple[tuple[str, int], ...]:
    if not isinstance(found, list) or len(found) > MOST_STAGES:
        raise BadRule(field=f"{place}.stages", hint=f"a list of at most {MOST_STAGES} stages; empty for no approval")
    stages: list[tuple[str, int]] = []
    for number, stage in enumerate(found):
        where = f"{place}.stages.{number}"
        if not isinstance(stage, Mapping) or set(stage) - {"group", "need"}:
            raise BadRule(field=where, hint="{group, need}")
        group, need = stage.get("group", "approver"), stage.get("need", 1)
        if group not in groups:
            raise BadRule(field=f"{where}.group", hint="of " + ", ".join(sorted(groups)))
        if isinstance(need, bool) or not isinstance(need, int) or not 1 <= need <= MOST_NEEDED:
            raise BadRule(field=f"{where}.need", hint=f"1 to {MOST_NEEDED}")
        if group in {known for known, _ in stages}:
            raise BadRule(field=f"{where}.group", hint="a group that no other stage of this rule names")
        stages.append((group, need))
    return tuple(stages)


def _ordered(rules: list[Rule], entities: frozenset[str], threshold: Threshold) -> tuple[Rule, ...]:
    """The most special first; what is not comparable keeps its place."""
    inside = {
        (one.name, other.name): _compare(one, other, entities, threshold)
        for one in rules
        for other in rules
        if one is not other
    }
    left, done = list(rules), []
    while left:
        first = next(
            rule
            for rule in left
            if not any(
                inside[other.name, rule.name] and not inside[rule.name, other.name]
                for other in left
                if other is not rule
            )
        )
        left.remove(first)
        done.append(first)
    return tuple(done)


def _compare(one: Rule, other: Rule, entities: frozenset[str], threshold: Threshold) -> bool:
    """Whether the first lies inside the second. Raises RulesConflict when nobody could tell which decides."""
    shared = _meet(one.entities or entities, other.entities or entities)
    overlap = [e for e in sorted(shared) if _overlap(one, other, e, threshold)]
    if not overlap:
        return False
    first = all(_inside(one, other, e, threshold) for e in overlap)
    second = all(_inside(other, one, e, threshold) for e in overlap)
    if first == second and one.outcome != other.outcome:
        raise RulesConflict(field="rules", first=one.name, second=other.name, entity=overlap[0])
    return first


def _meet(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    return one & other


def _overlap(one: Rule, other: Rule, entity: str, threshold: Threshold) -> bool:
    a, b = one.rows(entity, threshold), other.rows(entity, threshold)
    return (
        max(a[0], b[0]) < min(a[1], b[1])
        and _sets_meet(one.operations, other.operations)
        and _sets_meet(one.environments, other.environments)
    )


def _sets_meet(one: frozenset[str], other: frozenset[str]) -> bool:
    return not one or not other or bool(one & other)


def _subset(one: frozenset[str], other: frozenset[str]) -> bool:
    return not other or (bool(one) and one <= other)


def _inside(one: Rule, other: Rule, entity: str, threshold: Threshold) -> bool:
    a, b = one.rows(entity, threshold), other.rows(entity, threshold)
    return (
        _subset(one.entities, other.entities)
        and _subset(one.operations, other.operations)
        and _subset(one.environments, other.environments)
        and a[0] >= b[0]
        and a[1] <= b[1]
        and one.total_over >= other.total_over
        and RISKS.index(one.risk) >= RISKS.index(other.risk)
        and one.sensitive >= other.sensitive
    )
