"""Submitting: the only door to a dangerous act. Plans, freezes, inspects; decides nothing about approval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection

from access import proofs
from access.enforcement import enforce
from audit import registry
from audit.entity import SoftDeleted
from changes import canary as canaries
from changes import drafts, preflight, record, windows
from changes.errors import (
    ChangeNotFound,
    NothingToUndo,
    ProtectedRows,
    ReasonMissing,
    RequestKeyReused,
    UndoExists,
    UndoOfWhat,
    UnknownOperation,
    WrongState,
)
from changes.lanes import lock_rows
from changes.models import Change
from changes.operations import REGISTRY
from changes.planning import freeze_rows, store_plan
from changes.selection import Selection
from changes.states import UNDOABLE, Operation, State
from foundation import context
from foundation.actor import Actor
from foundation.postgres.transactions import consistent

REASON_LEAST = 10


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that was read and allowed, before anything is frozen."""

    change: Change
    selection: Selection | None
    cascade_also: frozenset[str]
    undo_of: int | None
    draft_id: int | None
    actor: Actor


def prepare(
    actor: Actor,
    *,
    entity: str | type[SoftDeleted],
    operation: str,
    selection: dict[str, Any] | Selection | None,
    reason: str,
    title: str = "",
    cascade_also: Iterable[str] = (),
    request_key: UUID | None = None,
    undo_of: int | None = None,
    draft_id: int | None = None,
    options: Mapping[str, Any] | None = None,
    **how: dict[str, Any] | None,
) -> Prepared:
    """Read and check a request. Raises NotAllowed, StepUpNeeded or an Invalid that names the field.

    `options` is what the operation takes besides the selection, see its `read_options`; `how`: window, canary.
    """
    model = registry.entity(entity) if isinstance(entity, str) else entity
    _allow(actor, operation, model)
    asked = REGISTRY[operation].read_options(model, options or {})
    chosen = _selection(operation, selection, model)
    said, also = _clean(reason), frozenset(cascade_also)
    if len(said) < REASON_LEAST:
        raise ReasonMissing(field="reason", least=REASON_LEAST)
    if operation == Operation.UNDO and undo_of is None and "source" not in asked:
        raise UndoOfWhat(field="undo_of")
    change = _begun(
        actor,
        operation=operation,
        entity=model._meta.label_lower,
        title=_clean(title)[:200],
        reason=said[:4000],
        selection=selection if isinstance(selection, dict) else drafts.as_json(chosen),
        options={"cascade_also": sorted(also), **asked, **_when_and_how(**how)},
        request_key=request_key,
        undo_of_id=undo_of,
    )
    return Prepared(change, chosen, also, undo_of, draft_id, actor)


def prepare_again(change: Change, *, actor: Actor, title: str, reason: str, **asked: Any) -> Prepared:
    """The same change asked for once more, in other words; `asked` as `prepare` takes it, where that changes too.

    It stays the request of whoever asked first. Raises as `prepare`.
    """
    old: dict[str, Any] = {"cascade_also": change.options.get("cascade_also", ()), **drafts.when_and_how(change)}
    if asked:
        asked = {"selection": change.selection, "options": drafts.asked(change), **old, **asked}
        more: dict[str, Any] = {"title": title, "reason": reason, "undo_of": change.undo_of_id, "draft_id": change.pk}
        prepared = prepare(actor, entity=change.entity, operation=change.operation, **more, **asked)
        for column in ("requested_by_id", "requester_person_id", "requester_name"):
            setattr(prepared.change, column, getattr(change, column))
        return prepared
    model = registry.entity(change.entity)
    _allow(actor, change.operation, model)
    said = _clean(reason)
    if len(said) < REASON_LEAST:
        raise ReasonMissing(field="reason", least=REASON_LEAST)
    again = copy(change)
    again.title, again.reason, again.request_key = _clean(title)[:200] or change.title, said[:4000], None
    again.drift, again.drift_accepted, again.channel = None, 0, _channel()
    chosen = _selection(change.operation, change.selection, model) if change.retry_of_id is None else None
    return Prepared(again, chosen, frozenset(old["cascade_also"]), change.undo_of_id, change.pk)


def _begun(actor: Actor, **columns: Any) -> Change:
    """A change that somebody asks for, not yet saved."""
    return Change(
        tenant_id=actor.tenant,
        state=State.DRAFT,
        requested_by_id=actor.user_id,
        requester_person_id=actor.person_id,
        requester_name=actor.name,
        channel=_channel(),
        **columns,
    )


def _allow(actor: Actor, operation: str, model: type[SoftDeleted]) -> None:
    """Ask the policy, for what the operation is in general and for what it asks besides."""
    if operation not in REGISTRY:
        raise UnknownOperation(field="operation", value=str(operation)[:40], known=", ".join(REGISTRY))
    enforce(actor, "change.undo" if operation == Operation.UNDO else "change.request", model._meta.label_lower)
    if action := REGISTRY[operation].action:
        enforce(actor, action, model._meta.label_lower)
        proofs.require(actor, action, model._meta.label_lower)


def submit(actor: Actor, **request: Any) -> Change:
    """`prepare`, then `freeze`: the change in state frozen, or the one an earlier equal request made.

    Takes the keywords of `prepare`. Raises also ProtectedRows, EmptySelection, RequestKeyReused.
    """
    prepared = prepare(actor, **request)
    try:
        return earlier(prepared.change) or freeze(prepared)
    except IntegrityError as error:
        return collided(prepared, error)


def freeze(prepared: Prepared) -> Change:
    """Freeze the rows of a prepared request in one consistent transaction. Raises also PreflightBlocks."""
    change, chosen = prepared.change, prepared.selection
    with consistent() as repeatable:
        if prepared.undo_of is not None:
            change.undo_of = undoable(prepared.undo_of)
        change.title = change.title or default_title(change, chosen)
        change.selection_text = chosen.describe() if chosen is not None else change.title
        if prepared.draft_id is not None:
            drafts.take(prepared.draft_id, change)
        change.save()
        plan = freeze_rows(change, chosen, prepared.cascade_also)
        findings = preflight.inspect(change, plan, prepared.actor)
        _refuse_protected(plan.protected)
        if plan.rows_total:
            preflight.refuse(change, [finding.as_json() for finding in findings])
        store_plan(change, plan, findings)
        preflight.keep(change, findings, prepared.actor, preflight.Moment.REQUEST)
        if not repeatable:
            lock_frozen(change)
        record.note(change, "change.frozen", rows=change.rows_total, digest=change.digest)
    return change


def lock_frozen(change: Change) -> None:
    """Inside a larger transaction the freeze saw no single state, so its rows are locked at once."""
    for part in change.parts.order_by("part"):
        lock_rows(change, part, -(2**63), 2**63 - 1, part.rows)


def undoable(change_id: int) -> Change:
    """The change to undo. Raises ChangeNotFound, WrongState, NothingToUndo."""
    change = Change.objects.filter(pk=change_id).first()
    if change is None:
        raise ChangeNotFound(change_id=change_id)
    if change.state not in UNDOABLE:
        raise WrongState(change_id=change_id, state=change.get_state_display(), needed=", ".join(UNDOABLE))
    if not change.lanes.filter(applied__gt=0).exists():
        raise NothingToUndo(change_id=change_id)
    return change


def default_title(change: Change, chosen: Selection | None) -> str:
    """What the change is called when nobody named it."""
    if change.undo_of is not None:
        return f"Undo C-{change.undo_of.pk}: {change.undo_of.title}"[:200]
    if chosen is None:
        return _title_of_events(change)
    words = ", ".join(REGISTRY[change.operation].in_words(change))
    return f"{change.operation.capitalize()} {chosen.describe()}{': ' if words else ''}{words}"[:200]


def _title_of_events(change: Change) -> str:
    events = change.options.get("source", {}).get("events", [])
    more = f" and {len(events) - 1} more" if len(events) > 1 else ""
    return f"Undo event {events[0]}{more}" if events else change.operation.capitalize()


def _selection(operation: str, selection: Any, model: type[SoftDeleted]) -> Selection | None:
    if not REGISTRY[operation].needs_selection:
        return None
    return selection if isinstance(selection, Selection) else Selection.parse(selection, model)


def _when_and_how(*, window: dict[str, Any] | None = None, canary: dict[str, Any] | None = None) -> dict[str, Any]:
    """The window and the trial, as read and kept: part of what is frozen and approved."""
    wanted = {"window": windows.parse(window), "canary": canaries.parse(canary)}
    return {name: value.as_json() for name, value in wanted.items() if value is not None}


def _clean(text: str) -> str:
    """Text as PostgreSQL can store it, on one reading: no NUL, no lone surrogate, no stray outer space."""
    return text.replace("\x00", "").encode(errors="replace").decode().strip()


def _channel() -> str:
    work = context.current()
    return "shell" if work is None else work.channel


def earlier(change: Change) -> Change | None:
    """The change that an earlier request with the same key made. Raises RequestKeyReused."""
    if change.request_key is None:
        return None
    first = Change.objects.filter(
        tenant_id=change.tenant_id, requested_by_id=change.requested_by_id, request_key=change.request_key
    ).first()
    if first is None or first.state == State.DRAFT:
        return None
    if _asked(first) != _asked(change) or change.title not in ("", first.title):
        raise RequestKeyReused(field="request_key", change_id=first.pk)
    return first


def _asked(change: Change) -> tuple[Any, ...]:
    """What a request asked for; the same key with anything else is another request."""
    return (change.entity, change.operation, change.selection, change.options, change.reason, change.undo_of_id)


def collided(prepared: Prepared, error: IntegrityError) -> Change:
    """Two equal requests at once: the constraint picked the first, the second gets its result.

    Only outside of the transaction that failed; inside it the error goes on.
    """
    if connection.in_atomic_block:
        raise error
    name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", "")
    if name == "changes_change_request_key":
        first = earlier(prepared.change)
        if first is not None:
            return first
    if name == "changes_change_one_open_undo":
        undo = Change.objects.filter(undo_of_id=prepared.undo_of).exclude(state__in=[State.REFUSED, *UNDOABLE]).first()
        raise UndoExists(change_id=prepared.undo_of, undo_id=undo.pk if undo else "?") from error
    raise error


def _refuse_protected(protected: Any) -> None:
    for stop in protected:
        raise ProtectedRows(
            field="selection", entity=stop.entity, rows=stop.rows, relation=stop.relation, sample=list(stop.sample)
        )
