"""Approvals that outlived what was approved: edited, retargeted, its rule lowered, called off and sent again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from approvals import gate, starting, tickets
from approvals.errors import DigestMoved, TicketNotPending
from approvals.models import Ticket
from changes import execution
from changes.errors import WrongState
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.approvals.known.tries import CLEARED, NOBODY, WAITING, forge, refused, run, say, states, votes
from tests.journey import ask, keys_of, one_chunk, start, work
from tests.personas import orders

pytestmark = pytest.mark.django_db

REWRITES = (
    "changes_change SET reason = 'something else'",
    "changes_change SET title = 'something else'",
    "changes_change SET entity = 'shop.customer'",
    "changes_change SET operation = 'purge'",
    'changes_change SET options = \'{"cascade_also": ["shop.order.customer"]}\'',
    "changes_change SET selection = '{}'",
    "changes_change SET schema_fingerprint = ''",
    "changes_change SET digest = repeat('0', 64)",
    "changes_change SET rows_total = 1",
    "changes_changepart SET rows = 1",
    "changes_changepart SET effect = 'remove'",
    "changes_frozenrow SET position = position + 1",
    "changes_frozenrow SET token = '1'",
    "approvals_ticket SET digest = repeat('0', 64)",
    "approvals_ticket SET required = 0",
    "approvals_ticket SET rule = '{}'",
    "approvals_ticket SET rule_version = 7",
)


@pytest.mark.parametrize("agreed", [False, True], ids=["asked", "agreed"])
@pytest.mark.parametrize("rewrite", REWRITES)
def test_what_people_look_at_is_not_edited(
    ticket: Ticket, operator: Actor, approver: Actor, rewrite: str, agreed: bool
) -> None:
    """CVE-2023-4812 (GitLab): a change was edited after it had been approved, and the approval stayed."""
    if agreed:
        say(ticket, approver)
    column = "id" if rewrite.startswith(("changes_change ", "approvals_ticket ")) else "change_id"
    which = ticket.pk if rewrite.startswith("approvals") else ticket.change_id
    refused(operator, f"UPDATE {rewrite} WHERE {column} = {which}")
    assert states(ticket) == (CLEARED if agreed else WAITING)


def test_more_rows_are_not_slipped_in_after_the_vote(ticket: Ticket, operator: Actor, approver: Actor) -> None:
    """CVE-2023-4812 (GitLab): rows that fit the same filter later are no part of what was approved."""
    say(ticket, approver)
    refused(
        operator,
        "INSERT INTO changes_frozenrow (tenant_id, change_id, part, position, token) VALUES (1, %s, 0, 10000000, '1')",
        ticket.change_id,
    )
    refused(operator, "DELETE FROM changes_frozenrow WHERE change_id = %s", ticket.change_id)


@pytest.mark.parametrize("digest", ["0" * 64, "", "moved"])
def test_there_is_no_moment_in_which_an_older_look_counts(
    ticket: Ticket, approver: Actor, door: Any, digest: str
) -> None:
    """gitlab 383776: for some seconds after an edit an approval of what was there before still counted."""
    assert door(approver, ticket, digest=digest) in (400, 409)
    with pytest.raises(DigestMoved):
        say(ticket, approver, digest=digest)
    assert votes(ticket) == 0
    forge(ticket, approver, digest="0" * 64)
    refused(approver, "UPDATE approvals_ticket SET state = 'approved' WHERE id = %s", ticket.pk)
    assert states(ticket) == WAITING


def test_an_approval_does_not_follow_to_another_target(ticket: Ticket, operator: Actor, approver: Actor) -> None:
    """GO-2026-6080 (Gitea): a pull request pointed at another branch kept its approvals."""
    other = ask(operator, "shop.order", keys_of(orders_of(operator))).ticket
    assert other is not None
    say(ticket, approver)
    refused(operator, "UPDATE approvals_ticket SET change_id = %s WHERE id = %s", other.change_id, ticket.pk)
    refused(operator, "UPDATE approvals_vote SET ticket_id = %s", other.pk)
    with pytest.raises(DatabaseError, match="has not been approved by"):
        run(operator, "UPDATE changes_change SET state = 'cleared' WHERE id = %s", other.change_id)
    assert states(other) == WAITING


def orders_of(actor: Actor, amount: int = 12) -> list[Any]:
    with acting(actor):
        return orders(amount)


def test_a_rule_removed_takes_nothing_off_an_open_ticket(
    for_two: Ticket, operator: Actor, approver: Actor, second_approver: Actor, owner: psycopg.Connection
) -> None:
    """CVE-2026-6063 (GitLab): deleting an approval rule freed the requests that were open under it."""
    say(for_two, approver)
    owner.execute("DELETE FROM approvals_ruleversion")
    assert states(for_two) == WAITING
    refused(operator, "UPDATE approvals_ticket SET state = 'approved' WHERE id = %s", for_two.pk)
    say(for_two, second_approver)
    assert states(for_two) == CLEARED


@pytest.mark.parametrize(
    "lower", [NOBODY, {"name": "one", "stages": [{"group": "approver", "need": 1}]}], ids=["0", "1"]
)
def test_a_rule_lowered_does_not_help_an_open_ticket(
    for_two: Ticket, operator: Actor, approver: Actor, in_force: Callable[..., None], lower: dict[str, Any]
) -> None:
    """CVE-2026-6063 (GitLab): the threshold is edited from two to fewer while one vote is there."""
    say(for_two, approver)
    in_force(lower)
    assert states(for_two) == WAITING
    for statement in (
        "UPDATE approvals_ticket SET state = 'approved' WHERE change_id = %s",
        "UPDATE changes_change SET state = 'cleared' WHERE id = %s",
    ):
        refused(operator, statement, for_two.change_id)
    assert states(for_two) == WAITING


def test_rules_brought_in_step_from_outside_do_not_help_an_open_ticket(
    for_two: Ticket, approver: Actor, environment: Callable[[str], None], settings: Any
) -> None:
    """CVE-2026-14288 (GitLab): the synchronisation of rules dropped approvals that open requests needed."""
    say(for_two, approver)
    before = settings.CUSTODY_RULES
    try:
        settings.CUSTODY_RULES = [{"name": "nobody", "stages": []}]
        environment("development")
        refused(approver, "UPDATE approvals_ticket SET state = 'approved' WHERE id = %s", for_two.pk)
        assert states(for_two) == WAITING
        with acting(approver):
            for_two.refresh_from_db()
        assert for_two.required == 2
    finally:
        settings.CUSTODY_RULES = before


def test_calling_off_what_runs_starts_nothing_that_waits(
    operator: Actor, approver: Actor, ticket: Ticket, chunks_of_two: None
) -> None:
    """gitea 66877: cancelling one run of a group let the next one go without its approval."""
    running = ask(operator, "shop.order", keys_of(orders_of(operator, 11)))
    assert running.ticket is not None
    say(running.ticket, approver)
    start(running.change, operator)
    one_chunk(running.change)
    with acting(operator):
        execution.cancel(running.change.pk, actor=operator)
    assert work(running.change).state == "cancelled"
    sweep()
    assert states(ticket) == WAITING


def sweep() -> None:
    """Everything that runs by the clock."""
    from approvals import tasks
    from changes import tasks as work_tasks

    tasks.expire()
    tasks.start_due()
    work_tasks.sweep()


@pytest.mark.parametrize("how", ["withdrawn", "rejected", "called off"])
def test_what_was_called_off_is_asked_for_anew(ticket: Ticket, operator: Actor, approver: Actor, how: str) -> None:
    """gitea 104632: cancel and run again skipped the approval. Asked for again it is another ticket without votes."""
    end(ticket, operator, approver, how)
    with acting(operator):
        rows = list(Order.objects.all()[:12])
        with pytest.raises(WrongState):
            starting.start(ticket.change_id, actor=operator)
    again = ask(operator, "shop.order", keys_of(rows))
    assert again.ticket is not None
    assert again.ticket.pk != ticket.pk
    assert (states(again.ticket), votes(again.ticket)) == (WAITING, 0)


def end(ticket: Ticket, operator: Actor, approver: Actor, how: str) -> None:
    """End it before it began."""
    with acting(operator):
        if how == "withdrawn":
            tickets.withdraw(ticket.pk, actor=operator)
    if how == "rejected":
        say(ticket, approver, "reject")
    if how == "called off":
        say(ticket, approver)
        with acting(operator):
            execution.discard(ticket.change_id, actor=operator)


def test_what_stopped_half_way_is_tried_again_by_a_ticket_of_its_own(
    ticket: Ticket, operator: Actor, approver: Actor, chunks_of_two: None
) -> None:
    """gitea 104632: a run that was stopped does not go on under its old approval."""
    say(ticket, approver)
    start(ticket.change, operator)
    one_chunk(ticket.change)
    with acting(operator):
        execution.cancel(ticket.change_id, actor=operator)
    assert work(ticket.change).state == "cancelled"
    with acting(operator), pytest.raises(WrongState):
        starting.start(ticket.change_id, actor=operator)
    for target in ("running", "cleared", "waiting", "failed"):
        refused(operator, "UPDATE changes_change SET state = %s WHERE id = %s", target, ticket.change_id)


@pytest.mark.parametrize("how", ["withdrawn", "rejected", "expired"])
def test_a_late_approval_revives_nothing(
    ticket: Ticket, operator: Actor, approver: Actor, second_approver: Actor, door: Any, how: str
) -> None:
    """gitea 104626: an approval given later brought a cancelled run back to life."""
    if how == "expired":
        run(operator, "UPDATE approvals_ticket SET expires_at = clock_timestamp() WHERE id = %s", ticket.pk)
        tickets.expire_due()
    else:
        end(ticket, operator, approver, how)
    assert door(second_approver, ticket) == 409
    with pytest.raises(TicketNotPending):
        say(ticket, second_approver)
    for state in set(Ticket.State.values) - {how}:
        refused(operator, "UPDATE approvals_ticket SET state = %s WHERE id = %s", state, ticket.pk)
        refused(operator, "UPDATE approvals_ticket SET state = %s, round = round + 1 WHERE id = %s", state, ticket.pk)
    assert states(ticket) == (how, "refused")


def test_a_vote_written_past_the_end_revives_nothing(
    ticket: Ticket, operator: Actor, approver: Actor, second_approver: Actor
) -> None:
    """gitea 104626, with SQL: a vote on what was withdrawn clears nothing."""
    end(ticket, operator, approver, "withdrawn")
    with pytest.raises(DatabaseError), transaction.atomic():
        forge(ticket, second_approver)
        run(operator, "UPDATE changes_change SET state = 'cleared' WHERE id = %s", ticket.change_id)
    assert states(ticket) == ("withdrawn", "refused")


def test_an_undo_is_asked_for_by_who_asks_for_it(
    ticket: Ticket, operator: Actor, engineer: Actor, approver: Actor
) -> None:
    """gitea 94205: of what follows from a change, too, the author is who asked for that."""
    say(ticket, approver)
    start(ticket.change, operator)
    done = work(ticket.change)
    with acting(engineer):
        undo = gate.request_undo(done.pk, actor=engineer, reason="wrong rows after all")
    assert undo.change.requester_person_id == engineer.person_id
    if undo.ticket is not None:
        assert undo.ticket.requester_person_id == engineer.person_id
        assert votes(undo.ticket) == 0


# Seconds to the end when it is tried: the first is over for sure, the last is not.
AROUND = (-0.001, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 5)


def test_the_end_is_exact_to_the_databases_clock(ticket: Ticket, operator: Actor) -> None:
    """Rows of the clock: around its end a ticket is decided in time or not at all, in the same statement."""
    seen = {True: 0, False: 0}
    with acting(operator):
        for trial in range(200):
            with connection.cursor() as cursor, transaction.atomic():
                cursor.execute(
                    "UPDATE approvals_ticket SET expires_at = clock_timestamp() + make_interval(secs => %s) "
                    "WHERE id = %s",
                    [AROUND[trial % len(AROUND)], ticket.pk],
                )
                try:
                    with transaction.atomic():
                        tickets.settle(ticket, Ticket.State.WITHDRAWN)
                        ticket.refresh_from_db()
                        assert ticket.decided_at < ticket.expires_at
                        seen[True] += 1
                        raise Late
                except Late:
                    pass
                except TicketNotPending:
                    cursor.execute(
                        "SELECT clock_timestamp() >= expires_at FROM approvals_ticket WHERE id = %s", [ticket.pk]
                    )
                    assert cursor.fetchone()[0]
                    seen[False] += 1
                transaction.set_rollback(True)  # a ticket's end is never put off: the next trial begins with the first
    assert min(seen.values()) >= 20, seen


class Late(Exception):
    """Takes a decision back, so that the next trial finds the ticket open."""
