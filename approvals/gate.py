"""The gate: what every door calls. Submit, look at the thresholds, open a ticket or let it run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import IntegrityError, OperationalError, connection

from approvals import overlap, rules, tickets, window
from approvals.errors import AskedAtOnce, TicketNotSentBack
from approvals.models import Ticket
from audit import registry
from audit.snapshots import state
from changes import clock, execution, retrying, submission, undoing
from changes.errors import NothingDiffers, RetryExists
from changes.event_freezing import parse_source
from changes.models import Change
from changes.operations import rollback
from changes.selection import Selection
from changes.states import Operation, State
from foundation.actor import Actor
from foundation.postgres.transactions import consistent

# A freeze that was overtaken begins anew this often; each time somebody else's ticket has gone through.
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request: a change, and a ticket when other people must decide first."""

    change: Change
    ticket: Ticket | None


def request(actor: Actor, **asked: Any) -> Outcome:
    """Ask for a change; keywords as `changes.submission.prepare`.

    Freezing and the ticket are one transaction: either both exist or neither. Below every threshold the
    change is cleared and, in its window, started at once. An equal request with the same key gets the first outcome.
    """
    return _place(submission.prepare(actor, **asked), actor)


def _place(prepared: submission.Prepared, actor: Actor) -> Outcome:
    first = submission.earlier(prepared.change)
    if first is None:
        try:
            return _frozen(prepared, actor)
        except IntegrityError as error:
            if (refused := overlap.refusal(error)) is not None:
                raise refused from error
            first = submission.collided(prepared, error)
    return Outcome(first, Ticket.objects.filter(change_id=first.pk).first())


def _frozen(prepared: submission.Prepared, actor: Actor) -> Outcome:
    """Freeze and admit; anew when a ticket on the same tables opened meanwhile, since this freeze did not see it."""
    for _ in range(ATTEMPTS):
        try:
            with consistent():
                change = submission.freeze(replace(prepared, change=copy(prepared.change)))
                return Outcome(change, _admit(change, actor))
        except OperationalError as error:
            if connection.in_atomic_block or not overlap.came_late(error):
                raise
    raise AskedAtOnce()


def ask_again(ticket_id: int, *, actor: Actor, reason: str, title: str = "", **asked: Any) -> Outcome:
    """Ask once more for what was sent back, in other words or otherwise: it is frozen anew, and a new round begins.

    `asked` as `changes.submission.prepare`, whatever of it changes: selection, options, cascade_also, window, canary. Whoever
    edits it has a hand in it, and no vote. Raises TicketNotSentBack, and what `request` raises.
    """
    ticket = tickets.get(ticket_id)
    prepared = submission.prepare_again(ticket.change, actor=actor, title=title, reason=reason, **asked)
    if ticket.state != Ticket.State.SENT_BACK:
        raise TicketNotSentBack(ticket_id=ticket.pk, state=tickets.state_words(ticket))
    return _place(prepared, actor)


def request_undo(
    change_id: int,
    *,
    actor: Actor,
    reason: str,
    request_key: UUID | None = None,
    title: str = "",
    options: Mapping[str, Any] | None = None,
) -> Outcome:
    """Ask to undo a change, or a part of it (`changes.operations.undo.read_options`).

    Raises ChangeNotFound, WrongState, NothingToUndo, UndoExists, ConflictsFound, an Invalid option.
    """
    original = execution.get(change_id)
    return request(
        actor,
        entity=original.entity,
        operation=Operation.UNDO,
        selection=None,
        reason=reason,
        title=title,
        request_key=request_key,
        undo_of=original.pk,
        options=options,
    )


def request_undo_of_events(
    events: list[int],
    *,
    actor: Actor,
    reason: str,
    entity: str = "",
    transaction: bool = False,
    options: Mapping[str, Any] | None = None,
    **more: Any,
) -> Outcome:
    """Ask to undo statements that no change made, or everything their transactions did. Raises EventNotFound.

    `entity` names the table where the reader's tenant does not see the events: other programs' on a shared table.
    """
    source = parse_source({"events": events, "transaction": transaction})
    return request(
        actor,
        entity=entity or undoing.first_of(source["events"]).entity,
        operation=Operation.UNDO,
        selection=None,
        reason=reason,
        options={**(options or {}), "source": source},
        **more,
    )


def rollback_to_snapshot(snapshot_id: int, *, actor: Actor, reason: str, **more: Any) -> Outcome | None:
    """Ask for the tables of a snapshot to go back to it, in one transaction. None: nothing differs, so nothing is asked.

    Keywords: options (`changes.operations.rollback.read_options`), title, request_key.
    Raises SnapshotNotFound, NotInSnapshot, BeforeRecording, ConflictsFound.
    """
    entity, options = rollback.of_snapshot(snapshot_id, more.pop("options", {}))
    title = more.pop("title", "") or f"Roll back to {state.get(snapshot_id).name}"[:200]
    try:
        return request(
            actor,
            entity=entity,
            operation=Operation.ROLLBACK,
            selection=None,
            reason=reason,
            options=options,
            title=title,
            **more,
        )
    except NothingDiffers:
        return None


def request_retry(
    change_id: int, *, actor: Actor, reason: str, reasons: Iterable[str] = (), request_key: UUID | None = None
) -> Outcome:
    """Ask to try once more the rows that a change left alone, for these reasons (errors, if none is named).

    Raises ChangeNotFound, WrongState, UnknownReason, NothingToRetry, RetryExists, EmptySelection.
    """
    original = execution.get(change_id)
    chosen = retrying.chosen_reasons(original, reasons)
    entity = registry.entity(original.entity)
    prepared = submission.prepare(
        actor,
        entity=entity,
        operation=original.operation,
        selection=Selection(entity=entity, keys=(), given=0),
        reason=reason,
        title=f"Retry C-{original.pk}: {original.title}"[:200],
        request_key=request_key,
        undo_of=original.undo_of_id,
        options=retrying.asked_again(original),
    )
    prepared.change.retry_of = original
    prepared.change.selection, prepared.change.options = {}, retrying.options_of(original, chosen)
    try:
        return _place(replace(prepared, selection=None), actor)
    except IntegrityError as error:
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") != "changes_change_one_open_retry":
            raise
        other = Change.objects.filter(retry_of_id=original.pk).exclude(state=State.REFUSED).order_by("-pk").first()
        raise RetryExists(change_id=original.pk, retry_id=other.pk if other else "?") from error


def foreseen(operation: str, parts: Iterable[tuple[str, int]], *, least: int = 0) -> rules.Requirement:
    """The approvals that so many rows per table would need under one operation, in the current tenant."""
    return rules.requirement(operation, parts, least=least)


def needed(change: Change) -> rules.Requirement:
    """The approvals a frozen change needs, by its parts and by what its requester did within the last minutes."""
    own = rules.of_change(change.tenant_id, change.pk)
    together = () if own.approvals else window.full(change)
    return replace(own, approvals=1, over=together) if together else own


def _admit(change: Change, actor: Actor) -> Ticket | None:
    requirement = needed(change)
    before = Ticket.objects.filter(change_id=change.pk).first()
    if before is not None:  # it was sent back, and its ticket goes on, however few the rows are now
        return tickets.ask_again(change, before)
    if requirement.approvals:
        return tickets.open_ticket(change, requirement)
    execution.clear(change, by="threshold")
    if change.state == State.CLEARED and clock.is_open(change):
        execution.start(change.pk, actor=actor)
        change.refresh_from_db()
    return None
