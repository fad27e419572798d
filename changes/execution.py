"""Starting, working and stopping a change. Every step is one conditional UPDATE."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from access import proofs
from access.enforcement import enforce
from audit import registry
from changes import canary, chunks, drift, lanes, marking, record, schema, staging
from changes.clock import opens_at, refuse_closed
from changes.digests import schema_fingerprint
from changes.errors import NewDependants, NotTheRequester, NotVerified, SchemaMoved, WrongState
from changes.finishing import UNVERIFIED, finish
from changes.models import Change, Lane
from changes.moving import get, move, wake
from changes.operations import REGISTRY
from changes.states import ACTIVE, Canary, Held, State
from changes.tables import table_of
from changes.whole import work_whole
from foundation import context
from foundation.actor import Actor
from foundation.postgres.transactions import durable

__all__ = [
    "can_start",
    "cancel",
    "clear",
    "discard",
    "finish",
    "get",
    "move",
    "opens_at",
    "pause",
    "reopen",
    "run_inline",
    "start",
    "wake",
    "work",
]
log = logging.getLogger(__name__)


def clear(change: Change, *, by: str) -> None:
    """The change may start. The database asks for the votes itself when any part is over its threshold.

    A change that went back to voting because of its drift is cleared with that drift.
    """
    accepted: dict[str, Any] = {"drift_accepted": int(change.drift["rows"])} if by == "ticket" and change.drift else {}
    move(change, State.CLEARED, cleared_at=Now(), **accepted)
    record.note(change, "change.cleared", by=by)


def can_start(change: Change) -> bool:
    """Whether a start would lead anywhere: numbers that differ do not come right by going on."""
    if change.state == State.FAILED:
        return change.error != UNVERIFIED
    return change.state in (State.CLEARED, State.PAUSED)


def start(change_id: int, *, actor: Actor) -> Change:
    """Start a cleared change, or go on with a paused or failed one; workers are woken after the commit.

    Raises WrongState, NotVerified, OutsideWindow, NewDependants, SchemaMoved, ColumnsMissing, TooMuchDrift, StepUpNeeded.
    """
    change = get(change_id)
    enforce(actor, "change.start", f"C-{change.pk}")
    if action := REGISTRY[change.operation].action:
        proofs.require(actor, action, f"C-{change.pk}")
    if change.state == State.FAILED and not can_start(change):
        raise NotVerified(change_id=change.pk)
    before = change.state
    if before in (State.CLEARED, State.PAUSED, State.FAILED):
        refuse_closed(change)
    with durable():
        _no_new_dependants(change)
        if before == State.CLEARED:
            _begin(change, actor)
        else:
            _go_on(change)
        record.note(change, "change.resumed" if before == State.PAUSED else "change.started", rows=change.rows_total)
        transaction.on_commit(lambda: wake(change))
    return change


def _begin(change: Change, actor: Actor) -> None:
    _same_schema(change)
    found = drift.measure(change)
    drift.refuse_over(change, found)
    move(
        change,
        State.RUNNING,
        seen=State.CLEARED,
        error="",
        started_at=Now(),
        started_by=actor.name,
        resumed_at=Now(),
        schema_seen=schema.columns_of(change),
        drift=found.as_json(),
        canary=Canary.TRYING if change.options.get("canary") else "",
    )
    lanes.open_lanes(change)
    marking.before_run(change)


def _go_on(change: Change) -> None:
    """From where it stood. That a person lets it go on settles what it was held for."""
    before, held = change.state, change.held
    columns: dict[str, Any] = {"schema_seen": schema.accept(change)} if change.schema_seen else {}
    if held == Held.SCHEMA:
        drift.refuse_over(change, drift.measure(change, ahead=True))
    if held == Held.CANARY:
        columns["canary"] = Canary.PASSED
    move(change, State.RUNNING, seen=before, error="", held="", held_facts={}, resumed_at=Now(), **columns)
    mine = Lane.objects.filter(change_id=change.pk)
    mine.filter(state=Lane.State.OPEN).update(waiting=None, waiting_since=None, not_before=None)
    if before == State.FAILED:
        mine.filter(state=Lane.State.FAILED).update(
            state=Lane.State.OPEN, attempts=0, worker="", limit=0, waiting=None, waiting_since=None, not_before=None
        )


def reopen(change: Change) -> bool:
    """Let a change go on that its window held, now that it is open. Return whether this caller did it."""
    try:
        with durable():
            columns = {"held": "", "held_facts": {}, "resumed_at": Now()}
            move(change, State.RUNNING, seen=State.PAUSED, where=Q(held=Held.WINDOW), **columns)
            record.note(change, "change.reopened")
            transaction.on_commit(lambda: wake(change))
    except WrongState:
        return False
    return True


def pause(change_id: int, *, actor: Actor) -> Change:
    """Hold a running change after the chunks in work; `start` lets it go on, `cancel` ends it. Raises WrongState.

    One that its window holds does not go on by itself then.
    """
    change = get(change_id)
    enforce(actor, "change.pause", f"C-{change.pk}")
    with durable():
        by_window = Change.objects.filter(pk=change.pk, state=State.PAUSED, held=Held.WINDOW)
        if by_window.update(held=Held.PERSON, held_facts={}):
            change.refresh_from_db()
        else:
            move(change, State.PAUSED, held=Held.PERSON, held_facts={})
        record.note(change, "change.paused")
    return change


def discard(change_id: int, *, actor: Actor) -> Change:
    """Throw away a draft of one's own, or call off a change that is ready to start. A waiting one, or one that
    was sent back, is withdrawn. Raises WrongState, NotTheRequester.
    """
    change = get(change_id)
    enforce(actor, "change.discard", f"C-{change.pk}")
    if change.state == State.DRAFT and change.requester_person_id != actor.person_id:
        raise NotTheRequester(change_id=change_id)
    sent_back = change.state == State.DRAFT and change.frozen_at is not None
    if change.state not in (State.DRAFT, State.CLEARED) or sent_back:
        needed = f"{State.DRAFT.label}, {State.CLEARED.label}"
        raise WrongState(change_id=change_id, state=change.get_state_display(), needed=needed)
    with durable():
        if change.state == State.DRAFT:
            staging.discard(change)
        move(change, State.REFUSED, seen=change.state)
        record.note(change, "change.discarded")
    return change


def cancel(change_id: int, *, actor: Actor) -> Change:
    """Stop after the running chunk. What is done stays done and can be undone."""
    change = get(change_id)
    enforce(actor, "change.cancel", f"C-{change.pk}")
    with durable():
        move(change, State.CANCELLING, held="", held_facts={})
        Lane.objects.filter(change_id=change.pk, state=Lane.State.OPEN).update(not_before=None)
        record.note(change, "change.cancelled")
        transaction.on_commit(lambda: wake(change))
    return change


def work(change_id: int, *, worker: str, budget_s: float = 20.0) -> bool:
    """Work on a change for about `budget_s` seconds. Return whether this worker could do more at once.

    Harmless to call at any time, any number of times at once: the lanes decide. A worker that finds no lane
    goes away; whoever ends a lane wakes others for what that made free, and the sweeper does so too.
    """
    change = Change.objects.filter(pk=change_id, state__in=ACTIVE).first()
    if change is None:
        return False
    until = time.monotonic() + budget_s
    if REGISTRY[change.operation].whole:
        with context.inside(actor=_requester(change), change_id=change.pk, reason=change.reason):
            work_whole(change, worker)
        return False
    with context.inside(actor=_requester(change), change_id=change.pk, reason=change.reason):
        while time.monotonic() < until:
            held = lanes.claim(change, worker)
            if held is None:
                canary.step(change)
                if lanes.claimable(change):
                    continue
                finish(change)
                return False
            _work_lane(change, held, until)
            if lanes.claimable(change) > 1:
                wake(change)
    return True


def run_inline(change: Change) -> None:
    """Do the whole change inside the caller's transaction; an error takes everything back."""
    while (held := lanes.claim(change, "inline")) is not None:
        while chunks.advance(change, held, inline=True):
            pass
    finish(change)
    change.refresh_from_db()


def _work_lane(change: Change, held: lanes.Claim, until: float) -> None:
    try:
        while chunks.advance(change, held):
            if time.monotonic() >= until:
                lanes.release(held)
                return
    except chunks.LaneLost:
        log.info("lane %s of change %s went to another worker", held.lane_id, change.pk)


def _requester(change: Change) -> Actor:
    """The run acts in the requester's name: it is their change that the record shows."""
    return Actor(
        kind="user",
        user_id=change.requested_by_id,
        person_id=change.requester_person_id,
        name=change.requester_name,
        tenant_id=change.tenant_id,
    )


def _same_schema(change: Change) -> None:
    tables = [table_of(registry.entity(part.entity)).name for part in change.parts.all()]
    if schema_fingerprint(tables) != change.schema_fingerprint:
        raise SchemaMoved(entity=change.entity)


def _no_new_dependants(change: Change) -> None:
    for found in drift.new_dependants(change):
        raise NewDependants(entity=found.entity, rows=found.rows)
