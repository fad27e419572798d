"""Making the checks: each for itself, within its time, so that one that fails is a block and never a traceback."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, transaction

from access.actors import actor_for
from access.enforcement import enforce
from changes import moving
from changes.errors import PreflightBlocks, WrongState
from changes.models import Change, PreflightRun
from changes.plan import Plan
from changes.preflight.base import BLOCK, LEVELS, WARN, Check, Finding, Moment, Subject
from changes.preflight.register import CHECKS
from changes.states import State
from foundation.actor import Actor
from foundation.errors import CustodyError
from foundation.postgres.transactions import durable

# At these the checks can be made again; one that runs yields by itself, one that has ended is over.
OPEN = (State.FROZEN, State.WAITING, State.CLEARED, State.PAUSED, State.FAILED)


def inspect(change: Change, plan: Plan, requester: Actor) -> list[Finding]:
    """Every check, at the freeze. The caller holds the transaction."""
    return look(Subject.of_plan(change, plan, requester))


def look(subject: Subject) -> list[Finding]:
    """Make the checks that apply to the subject. Raises nothing that a check raised."""
    with _limited():
        findings = [_ask(check, subject) for check in CHECKS.values() if subject.plan is not None or not check.planned]
    return [finding for finding in findings if finding is not None]


@contextmanager
def _limited() -> Iterator[None]:
    """Statements of checks are cut off; the limit of the transaction around them comes back afterwards."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
        before = cursor.fetchone()
        limit = f"{int(settings.CUSTODY_PREFLIGHT_SECONDS * 1000)}ms"
        cursor.execute(SET_LIMITS, [limit, limit])
        yield
        cursor.execute(SET_LIMITS, before)


SET_LIMITS = "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)"


def _ask(check: Check, subject: Subject) -> Finding | None:
    began = time.perf_counter()
    try:
        with transaction.atomic():  # what a failing check leaves behind is taken back
            found = check.ask(subject)
    except Exception as error:  # the edge of somebody else's code: whatever it raises is its answer
        return Finding(check.name, BLOCK, "failed", {"error": _said(error), "kind": type(error).__name__})
    took = time.perf_counter() - began
    if took > settings.CUSTODY_PREFLIGHT_SECONDS and not check.planned:
        facts = {"seconds": round(took, 1), "limit": settings.CUSTODY_PREFLIGHT_SECONDS}
        return Finding(check.name, BLOCK, "too_slow", facts)
    if found is not None and found.level not in LEVELS:
        return Finding(check.name, BLOCK, "failed", {"error": f"level {found.level!r}", "kind": "Finding"})
    if found is not None and found.level == BLOCK and check.passes and subject.moment != Moment.START:
        return Finding(found.check, WARN, found.code, {**found.facts, "later": True})
    return found


def _said(error: Exception) -> str:
    text = str(error) if isinstance(error, CustodyError) or str(error) else type(error).__name__
    return (text.splitlines() or [""])[0][:300]


def requester_of(change: Change) -> Actor | None:
    """Who asked, with the roles they have now; None where the login is gone."""
    if change.requested_by_id is None:
        return None
    user = get_user_model().objects.filter(pk=change.requested_by_id).first()
    return None if user is None else actor_for(user)


def before_vote(change: Change, actor: Actor) -> None:
    """Make the checks before an approving vote counts. Raises PreflightBlocks. Nothing to do once it is decided."""
    if change.state == State.WAITING:
        refuse(change, _made(change, actor, Moment.VOTE))


def before_start(change_id: int, actor: Actor) -> None:
    """Make the checks before a start. Raises PreflightBlocks; whoever may not start is refused by the start itself."""
    change = Change.objects.filter(pk=change_id).first()
    if change is not None and change.state in (State.CLEARED, State.PAUSED, State.FAILED):
        refuse(change, _made(change, actor, Moment.START))


def again(change_id: int, *, actor: Actor) -> PreflightRun:
    """Make the checks now, and keep what they found. Raises ChangeNotFound, WrongState."""
    change = moving.get(change_id)
    enforce(actor, "change.check", f"C-{change.pk}")
    if change.state not in OPEN:
        needed = ", ".join(str(state.label) for state in OPEN)
        raise WrongState(change_id=change_id, state=change.get_state_display(), needed=needed)
    with durable():
        return keep(change, look(Subject.of_change(change, Moment.AGAIN, requester_of(change))), actor, Moment.AGAIN)


def _made(change: Change, actor: Actor, moment: Moment) -> list[dict[str, Any]]:
    """Look and keep, in a transaction of its own: a refusal afterwards does not take the evidence back."""
    with durable():
        run = keep(change, look(Subject.of_change(change, moment, requester_of(change))), actor, moment)
    return list(run.findings)


def keep(change: Change, findings: Iterable[Finding], actor: Actor, moment: Moment) -> PreflightRun:
    """One row of evidence, on the database's clock. The caller holds the transaction."""
    found = [finding.as_json() for finding in findings]
    return PreflightRun.objects.create(
        tenant_id=change.tenant_id,
        change=change,
        moment=moment,
        person_id=actor.person_id,
        name=actor.name,
        findings=found,
        blocked=any(finding["level"] == BLOCK for finding in found),
    )


def refuse(change: Change, findings: Iterable[Mapping[str, Any]]) -> None:
    """Raises PreflightBlocks, naming every check that blocks and the way out of each."""
    blocks = [finding for finding in findings if finding["level"] == BLOCK]
    if not blocks:
        return
    names, ways = [], []
    for finding in blocks:
        check = CHECKS.get(finding["check"])
        names.append(str(check.label) if check else finding["check"])
        ways.append(str(check.way) if check else "")
    raise PreflightBlocks(
        change_id=change.pk or "-", checks=", ".join(names), ways=" ".join(filter(None, ways)), findings=blocks
    )
