"""Starting, working, stopping and finishing a change. Every step is one conditional UPDATE."""

from __future__ import annotations

import logging
import time
from typing import Any

from celery import current_app
from django.db import connection, transaction
from django.db.models import Sum
from django.db.models.functions import Now
from kombu.exceptions import OperationalError as BrokerDown

from access.enforcement import enforce
from audit import registry
from changes import drift, lanes, record, staging
from changes.digests import schema_fingerprint
from changes.errors import ChangeNotFound, NewDependants, NotTheRequester, NotVerified, SchemaMoved, WrongState
from changes.models import Change, Lane
from changes.states import ACTIVE, ALLOWED, State
from changes.tables import table_of
from changes.verification import verify
from foundation import context
from foundation.actor import Actor
from foundation.postgres.transactions import durable

log = logging.getLogger(__name__)
UNVERIFIED = "verification"


def get(change_id: int) -> Change:
    """A change of the current tenant. Raises ChangeNotFound."""
    change = Change.objects.filter(pk=change_id).first()
    if change is None:
        raise ChangeNotFound(change_id=change_id)
    return change


def move(change: Change, to: State, *, seen: str | None = None, **columns: Any) -> None:
    """Take a step of the published graph, if the change still stands where a step to `to` begins.

    `seen` is the state the caller has decided on; any other one is refused then.

    Raises WrongState when it does not, also when somebody else was faster.
    """
    sources = [state for state, targets in ALLOWED.items() if to in targets]
    begins = [source for source in sources if seen in (None, source)]
    moved = Change.objects.filter(pk=change.pk, state__in=begins).update(state=to, **columns)
    if not moved:
        now = Change.objects.filter(pk=change.pk).first()
        raise WrongState(
            change_id=change.pk,
            state=now.get_state_display() if now else "?",
            needed=", ".join(str(source.label) for source in sources),
        )
    change.refresh_from_db()


def clear(change: Change, *, by: str) -> None:
    """The change may start. The database asks for the votes itself when any part is over its threshold."""
    move(change, State.CLEARED, cleared_at=Now())
    record.note(change, "change.cleared", by=by)


def can_start(change: Change) -> bool:
    """Whether a start would lead anywhere: numbers that differ do not come right by going on."""
    if change.state == State.FAILED:
        return change.error != UNVERIFIED
    return change.state in (State.CLEARED, State.PAUSED)


def start(change_id: int, *, actor: Actor) -> Change:
    """Start a cleared change, or go on with a paused or failed one; workers are woken after the commit.

    Raises WrongState, NotVerified, NewDependants, SchemaMoved.
    """
    change = get(change_id)
    enforce(actor, "change.start", f"C-{change.pk}")
    if change.state == State.FAILED and not can_start(change):
        raise NotVerified(change_id=change.pk)
    with durable():
        _same_schema(change)
        _no_new_dependants(change)
        before = change.state
        since = {"started_at": Now(), "started_by": actor.name} if before == State.CLEARED else {}
        move(change, State.RUNNING, seen=before, error="", **since)
        if before == State.CLEARED:
            lanes.open_lanes(change)
        elif before == State.FAILED:
            Lane.objects.filter(change_id=change.pk, state=Lane.State.FAILED).update(
                state=Lane.State.OPEN, attempts=0, worker="", limit=0
            )
        record.note(change, "change.resumed" if before == State.PAUSED else "change.started", rows=change.rows_total)
        transaction.on_commit(lambda: wake(change))
    return change


def pause(change_id: int, *, actor: Actor) -> Change:
    """Hold a running change after the chunks in work; `start` lets it go on, `cancel` ends it. Raises WrongState."""
    change = get(change_id)
    enforce(actor, "change.pause", f"C-{change.pk}")
    with durable():
        move(change, State.PAUSED)
        record.note(change, "change.paused")
    return change


def discard(change_id: int, *, actor: Actor) -> Change:
    """Throw away a draft of one's own, or call off a change that is ready to start. A waiting one is withdrawn.

    Raises WrongState, NotTheRequester.
    """
    change = get(change_id)
    enforce(actor, "change.discard", f"C-{change.pk}")
    if change.state == State.DRAFT and change.requester_person_id != actor.person_id:
        raise NotTheRequester(change_id=change_id)
    if change.state not in (State.DRAFT, State.CLEARED):
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
        move(change, State.CANCELLING)
        record.note(change, "change.cancelled")
        transaction.on_commit(lambda: wake(change))
    return change


def wake(change: Change) -> None:
    """Tell workers to look. A broker that does not answer is no failure: the sweeper looks anyway."""
    for _ in range(max(1, lanes.claimable(change))):
        try:
            current_app.send_task("changes.work", args=[change.pk, change.tenant_id])
        except (BrokerDown, OSError):
            log.warning("broker does not answer; the sweeper will pick up change %s", change.pk)
            return


def work(change_id: int, *, worker: str, budget_s: float = 20.0) -> bool:
    """Work on a change for about `budget_s` seconds. Return whether this worker could do more at once.

    Harmless to call at any time, any number of times at once: the lanes decide. A worker that finds no lane
    goes away; whoever ends a lane wakes others for what that made free, and the sweeper does so too.
    """
    change = Change.objects.filter(pk=change_id, state__in=ACTIVE).first()
    if change is None:
        return False
    until = time.monotonic() + budget_s
    with context.inside(actor=_requester(change), change_id=change.pk, reason=change.reason):
        while time.monotonic() < until:
            held = lanes.claim(change, worker)
            if held is None:
                finish(change)
                return False
            _work_lane(change, held, until)
            if lanes.claimable(change) > 1:
                wake(change)
    return True


def run_inline(change: Change) -> None:
    """Do the whole change inside the caller's transaction; an error takes everything back."""
    while (held := lanes.claim(change, "inline")) is not None:
        while lanes.advance(change, held, inline=True):
            pass
    finish(change)
    change.refresh_from_db()


def _work_lane(change: Change, held: lanes.Claim, until: float) -> None:
    try:
        while lanes.advance(change, held):
            if time.monotonic() >= until:
                lanes.release(held)
                return
    except lanes.LaneLost:
        log.info("lane %s of change %s went to another worker", held.lane_id, change.pk)


def finish(change: Change) -> bool:
    """End the change when no lane is open: verified, stopped or failed. One caller wins; return whether it ended."""
    with durable(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT state FROM changes_change WHERE tenant_id = %s AND id = %s AND state = ANY(%s) FOR UPDATE",
            [change.tenant_id, change.pk, list(ACTIVE)],
        )
        row = cursor.fetchone()
        if row is None:
            return True
        if lanes.unfinished(change):
            return False
        _end(change, State(row[0]))
    return True


def _end(change: Change, state: State) -> None:
    sums = Lane.objects.filter(change_id=change.pk).aggregate(applied=Sum("applied"), skipped=Sum("skipped"))
    columns: dict[str, Any] = {
        "applied": sums["applied"] or 0,
        "skipped": sums["skipped"] or 0,
        "finished_at": Now(),
    }
    failed = Lane.objects.filter(change_id=change.pk, state=Lane.State.FAILED).first()
    stopped = Lane.objects.filter(change_id=change.pk, state=Lane.State.STOPPED).exists()
    if failed is not None:
        move(change, State.FAILED, error=failed.error, **columns)
        record.note(change, "change.failed", rows=change.applied, error=failed.error)
        return
    verification = verify(change, columns["applied"])
    if not verification["equal"]:
        move(change, State.FAILED, error=UNVERIFIED, verification=verification, **columns)
        record.note(change, "change.failed", rows=change.applied, **verification)
        return
    ended = State.CANCELLED if state == State.CANCELLING and stopped else State.DONE
    move(change, ended, verification=verification, **columns)
    record.note(change, f"change.{ended}", rows=change.applied, **verification)


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
