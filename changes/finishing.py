"""The end of a run: verified, stopped or failed. One caller wins."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import Sum
from django.db.models.functions import Now

from changes import lanes, record
from changes.models import Change, Lane
from changes.moving import move
from changes.states import ACTIVE, Operation, State
from changes.verification import verify
from foundation.postgres.transactions import durable

UNVERIFIED = "verification"


def finish(change: Change) -> bool:
    """End the change when no lane is open. Return whether it ended, now or before."""
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
    sums = Lane.objects.filter(change_id=change.pk).aggregate(
        applied=Sum("applied"), skipped=Sum("skipped"), taken_back=Sum("taken_back")
    )
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
    verification = verify(change, columns["applied"], taken_back=sums["taken_back"] or 0)
    if not verification["equal"]:
        move(change, State.FAILED, error=UNVERIFIED, verification=verification, **columns)
        record.note(change, "change.failed", rows=change.applied, **verification)
        return
    ended = State.CANCELLED if state == State.CANCELLING and stopped else State.DONE
    move(change, ended, verification=verification, **columns)
    record.note(change, f"change.{ended}", rows=change.applied, **verification)
    if ended == State.DONE and change.operation == Operation.ROLLBACK:
        record.note(change, "ROLLED_BACK", rows=change.applied, **_went_back_to(change))


def _went_back_to(change: Change) -> dict[str, Any]:
    return {name: change.options[name] for name in ("snapshot", "at", "entities") if name in change.options}


def fail(change: Change, error: str) -> None:
    """End a change that cannot go on as a whole; a person looks, and lets it go on or undoes it."""
    with durable():
        move(change, State.FAILED, error=error, finished_at=Now())
        record.note(change, "change.failed", rows=0, error=error)
