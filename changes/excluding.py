"""Leaving rows out: a draft that asks for the same without the rows that a check objects to.

A check objects to rows anywhere in the change; what leaves the selection are the selected rows that brought them along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db import connection

from access.enforcement import enforce
from audit import registry
from audit.entity import SoftDeleted
from changes import drafts, moving
from changes.errors import NoSelection, NothingToLeaveOut, NothingWouldStay, TooManyKeys, UnknownCheck
from changes.freezing import parent_join
from changes.holds import standing
from changes.models import Change, FrozenRow
from changes.plan import PartPlan
from changes.planning import preview
from changes.relations import Dependant, Rule, dependants
from changes.selection import KEY_LIMIT, Selection
from changes.states import Effect, State
from changes.tables import table_of
from foundation.actor import Actor

# (number of the part, position): a frozen row
Frozen = tuple[int, int]
Find = Callable[[Change, list[PartPlan]], set[Frozen]]


def exclude(change_id: int, check: str, *, actor: Actor) -> Change:
    """A draft of the actor's that leaves out what the check objects to; a draft of one's own is written over.

    Raises UnknownCheck, ChangeNotFound, NoSelection, NothingToLeaveOut, NothingWouldStay, TooManyKeys.
    """
    change = moving.get(change_id)
    enforce(actor, "change.request", change.entity)
    find = FINDERS.get(check)
    if find is None:
        raise UnknownCheck(field="check", value=str(check)[:40], known=", ".join(sorted(FINDERS)))
    if not change.selection or "count" in change.selection or change.retry_of_id or change.undo_of_id:
        raise NoSelection(change_id=change.pk)
    entity = registry.entity(change.entity)
    keys = _keys_of_draft(actor, change, find) if change.state == State.DRAFT else _keys_of_frozen(change, find)
    if not keys:
        raise NothingToLeaveOut(change_id=change.pk)
    return drafts.save(
        actor,
        entity=change.entity,
        operation=change.operation,
        selection=without(change.selection, keys, entity),
        cascade_also=change.options.get("cascade_also", ()),
        title=change.title if change.state == State.DRAFT else "",
        reason=change.reason,
        draft_id=change.pk if change.state == State.DRAFT else None,
        options={k: v for k, v in drafts.asked(change).items() if k not in ("window", "canary")},
    )


def without(selection: dict[str, Any], keys: Iterable[Any], entity: type[SoftDeleted]) -> dict[str, Any]:
    """The selection without these keys. Raises NothingWouldStay, TooManyKeys."""
    gone = {_plain(key) for key in keys}
    if "keys" in selection:
        typed = Selection.parse(selection, entity).keys or ()
        stay = [_json(key) for key in typed if _plain(key) not in gone]
        if not stay:
            raise NothingWouldStay(field="selection")
        return {"keys": stay}
    before = [tuple(key) if isinstance(key, list) else key for key in selection.get("without", ())]
    out = list(dict.fromkeys([*map(_plain, before), *sorted(gone)]))
    if len(out) > KEY_LIMIT:
        raise TooManyKeys(field="selection.without", given=len(out), limit=KEY_LIMIT)
    return {**selection, "without": [list(key) if len(key) > 1 else key[0] for key in out]}


def _plain(key: Any) -> tuple[str, ...]:
    return tuple(map(str, key)) if isinstance(key, (tuple, list)) else (str(key),)


def _json(key: Any) -> Any:
    return list(map(str, key)) if isinstance(key, tuple) else key if isinstance(key, int) else str(key)


def _keys_of_draft(actor: Actor, draft: Change, find: Find) -> set[tuple[str, ...]]:
    """Frozen for a moment, looked at, taken back."""
    drafts.get(draft.pk, actor)
    entity = registry.entity(draft.entity)
    found: set[tuple[str, ...]] = set()

    def look(change: Change, plan: Any) -> None:
        found.update(_selected(change, plan.parts, find(change, plan.parts)))

    preview(
        actor,
        entity=entity,
        operation=draft.operation,
        selection=Selection.parse(draft.selection, entity),
        cascade_also=frozenset(draft.options.get("cascade_also", ())),
        options=drafts.asked(draft),
        then=look,
    )
    return found


def _keys_of_frozen(change: Change, find: Find) -> set[tuple[str, ...]]:
    parts = [
        PartPlan(
            number=p.part,
            entity=registry.entity(p.entity),
            effect=p.effect,
            columns=tuple(p.columns),
            depth=p.depth,
            rows=p.rows,
        )
        for p in change.parts.all()
    ]
    return _selected(change, parts, find(change, parts))


def _selected(change: Change, parts: list[PartPlan], bad: set[Frozen]) -> set[tuple[str, ...]]:
    """Keys of the selected rows that brought these along, by whichever relation."""
    also = frozenset(change.options.get("cascade_also", ()))
    new = bad
    while new:
        above: set[Frozen] = set()
        for part in parts:
            for dependant in dependants(part.entity, cascade_also=also):
                for child in _below(part, parts, dependant):
                    if mine := {position for number, position in new if number == child.number}:
                        above |= {(part.number, p) for p in _parents(change, part, child, dependant, mine)}
        new = above - bad
        bad |= new
    roots = {part.number: part for part in parts if part.depth == 0}
    found: set[tuple[str, ...]] = set()
    for number in roots:
        positions = [position for n, position in bad if n == number]
        frozen = FrozenRow.objects.filter(
            tenant_id=change.tenant_id, change_id=change.pk, part=number, position__in=positions
        )
        found |= {(str(p),) if key is None else tuple(key) for p, key in frozen.values_list("position", "key")}
    return found


def _below(part: PartPlan, parts: list[PartPlan], dependant: Dependant) -> list[PartPlan]:
    """The parts whose rows went along with those of `part` by this relation; a tree is one part."""
    cleared = dependant.rule is Rule.CLEAR
    return [
        child
        for child in parts
        if dependant.rule is not Rule.PROTECT
        and child.entity is dependant.child
        and (child.depth > 0 or child is part)
        and cleared == (child.effect == Effect.CLEAR)
    ]


def _parents(change: Change, part: PartPlan, child: PartPlan, dependant: Dependant, mine: set[int]) -> list[int]:
    """Frozen rows of `part` that these frozen rows of `child` point to."""
    table, parent = table_of(child.entity), table_of(part.entity)
    return _positions(
        f"SELECT DISTINCT p.position FROM changes_frozenrow r JOIN {table.name} o ON {table.match()} AND {table.tenant()} "
        f"JOIN {parent.name} q ON q.{dependant.target_column()} = o.{dependant.column()} AND {parent.tenant('q')} "
        f"JOIN changes_frozenrow p ON p.tenant_id = %(tenant)s AND p.change_id = %(change)s AND p.part = {part.number} "
        f"AND {parent.match('q', 'p')} WHERE r.tenant_id = %(tenant)s AND r.change_id = %(change)s "
        f"AND r.part = {child.number} AND r.position = ANY (%(mine)s)",
        change,
        mine=list(mine),
    )


def _protected(change: Change, parts: list[PartPlan]) -> set[Frozen]:
    """Frozen rows that live rows of a protecting relation hold on to."""
    also = frozenset(change.options.get("cascade_also", ()))
    found: set[Frozen] = set()
    for part in parts:
        if part.effect != Effect.DELETE:
            continue
        for dependant in dependants(part.entity, cascade_also=also):
            if dependant.rule is Rule.PROTECT:
                found |= {(part.number, p) for p in _held_on_to(change, part, parts, dependant)}
    return found


def _held_on_to(change: Change, part: PartPlan, parts: list[PartPlan], dependant: Dependant) -> list[int]:
    child = table_of(dependant.child)
    going = [p.number for p in parts if p.entity is dependant.child and p.effect == Effect.DELETE]
    stays = "true"
    if going:
        stays = (
            "NOT EXISTS (SELECT FROM changes_frozenrow x WHERE x.tenant_id = %(tenant)s AND x.change_id = %(change)s "
            f"AND x.part IN ({', '.join(map(str, going))}) AND {child.match('o', 'x')})"
        )
    return _positions(
        f"SELECT DISTINCT p.position FROM {child.name} o {parent_join(part, dependant)} "
        f"WHERE {child.tenant()} AND NOT o.is_deleted AND {stays}",
        change,
    )


def _held(change: Change, parts: list[PartPlan]) -> set[Frozen]:
    """Frozen rows under a legal hold."""
    return {
        (part.number, position)
        for part in parts
        if part.effect not in standing.COMING
        for position, _key in standing.held_rows(change, part.number, part.entity._meta.label_lower)
    }


def _positions(sql: str, change: Change, **more: Any) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"tenant": change.tenant_id, "change": change.pk, **more})
        return [int(row[0]) for row in cursor.fetchall()]


# Checks whose rows can be left out.
FINDERS: dict[str, Find] = {"protected_rows": _protected, "legal_hold": _held}
