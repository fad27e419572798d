"""Every guard is alive: with it the attempt is refused, without it the attempt succeeds, so a test can see it gone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from changes.effects import EFFECTS
from changes.models import Change, SkippedRow
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.databases import RealDatabase
from tests.journey import agree, ask, carry_out, keys_of, start, work
from tests.personas import orders, prove

VOTE = (
    "INSERT INTO approvals_vote (tenant_id, ticket_id, requester_person_id, person_id, user_id, name, decision, digest, "
    "reason, proof_id) VALUES (1, {ticket}, {asked}, {person}, {user}, 'x', 'approve', '{digest}', '', {proof})"
)
BY_THE_REQUESTER = VOTE.replace("{person}", "{operator}").replace("{user}", "{own}").replace("{proof}", "{own_proof}")


@dataclass(frozen=True, slots=True)
class Guard:
    """What to take away, and what it refuses."""

    name: str
    takeaway: str
    attempt: str


GUARDS = (
    Guard(
        "published steps only",
        "DROP TRIGGER custody_step ON changes_change; DROP TRIGGER custody_ticket ON changes_change",
        "UPDATE changes_change SET state = 'draft' WHERE id = {change}",
    ),
    Guard(
        "a change begins as a draft",
        "DROP TRIGGER custody_begin ON changes_change",
        "INSERT INTO changes_change (tenant_id, operation, entity, title, reason, selection, selection_text, options, state, "
        "digest, snapshot, schema_fingerprint, rows_selected, rows_total, preflight, requester_name, channel, started_by, "
        "applied, skipped, error) VALUES (1, 'delete', 'shop.order', '', '', '{{}}', '', '{{}}', 'frozen', '', '', '', 0, "
        "0, '[]', 'x', '', '', 0, 0, '')",
    ),
    Guard(
        "enough other persons",
        "DROP TRIGGER custody_clearance ON changes_change; DROP TRIGGER custody_ticket ON changes_change",
        "UPDATE changes_change SET state = 'cleared' WHERE id = {change}",
    ),
    Guard(
        "frozen rows stay",
        "DROP TRIGGER custody_frozen_update ON changes_frozenrow",
        "UPDATE changes_frozenrow SET token = '1' WHERE change_id = {change}",
    ),
    Guard(
        "nothing joins frozen rows",
        "DROP TRIGGER custody_frozen_insert ON changes_frozenrow",
        "INSERT INTO changes_frozenrow (tenant_id, change_id, part, position, token) VALUES (1, {change}, 0, -1, '1')",
    ),
    Guard(
        "nothing leaves frozen rows",
        "DROP TRIGGER custody_frozen_delete ON changes_frozenrow",
        "DELETE FROM changes_frozenrow WHERE change_id = {change}",
    ),
    Guard(
        "parts stay",
        "DROP TRIGGER custody_frozen_update ON changes_changepart",
        "UPDATE changes_changepart SET rows = 1 WHERE change_id = {change}",
    ),
    Guard(
        "tickets stay",
        "DROP TRIGGER custody_life ON approvals_ticket",
        "UPDATE approvals_ticket SET digest = 'x' WHERE id = {ticket}",
    ),
    Guard(
        "tickets are approved by votes",
        "DROP TRIGGER custody_step ON approvals_ticket",
        "UPDATE approvals_ticket SET state = 'approved' WHERE id = {ticket}",
    ),
    Guard(
        "a ticket takes published steps only",
        "DROP TRIGGER custody_life ON approvals_ticket",
        "UPDATE approvals_ticket SET state = 'rejected' WHERE id = {ticket}; "
        "UPDATE approvals_ticket SET state = 'pending' WHERE id = {ticket}",
    ),
    Guard(
        "a change ends with its ticket",
        "DROP TRIGGER custody_ticket ON changes_change",
        "UPDATE changes_change SET state = 'refused' WHERE id = {change}",
    ),
    Guard(
        "no vote for an own request",
        "ALTER TABLE approvals_vote DROP CONSTRAINT approvals_vote_not_the_requester",
        BY_THE_REQUESTER,
    ),
    Guard(
        "no vote under a wrong requester",
        "ALTER TABLE approvals_vote DROP CONSTRAINT approvals_vote_ticket_fk; "
        "DROP TRIGGER custody_vote_allowed ON approvals_vote; DROP TRIGGER custody_outsider ON approvals_vote",
        BY_THE_REQUESTER.replace("{asked}", "987"),
    ),
    Guard(
        "one vote per person",
        "ALTER TABLE approvals_vote DROP CONSTRAINT approvals_vote_one_per_person; "
        "DROP TRIGGER custody_vote_allowed ON approvals_vote",
        f"{VOTE}; {VOTE}",
    ),
    Guard(
        "no vote without a fresh proof",
        "DROP TRIGGER custody_proof ON approvals_vote",
        VOTE.replace("{proof}", "NULL"),
    ),
    Guard(
        "no vote on somebody else's proof",
        "DROP TRIGGER custody_proof ON approvals_vote",
        VOTE.replace("{proof}", "{own_proof}"),
    ),
    Guard(
        "counts never exceed the rows of a lane",
        "ALTER TABLE changes_lane DROP CONSTRAINT changes_lane_counts",
        "INSERT INTO changes_lane (tenant_id, change_id, part, step, lo, hi, cursor, rows, applied, skipped, chunks, "
        '"limit", attempts, fence, worker, state, error) VALUES (1, {change}, 0, 0, 0, 9, 9, 1, 2, 0, 1, 0, 0, 1, '
        "'', 'open', '')",
    ),
)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_with_the_guard_refused_without_it_done(
    real_db: RealDatabase, operator: Actor, approver: Actor, guard: Guard
) -> None:
    with acting(operator):
        outcome = ask(operator, "shop.order", keys_of(orders(12)))
    assert outcome.ticket is not None
    statement = guard.attempt.format(
        change=outcome.change.pk,
        ticket=outcome.ticket.pk,
        asked=operator.person_id,
        operator=operator.person_id,
        own=operator.user_id,
        own_proof=prove(operator).pk,
        person=approver.person_id,
        user=approver.user_id,
        proof=prove(approver).pk,
        digest=outcome.change.digest,
    )
    with pytest.raises(DatabaseError):
        attempt(operator, statement)
    with real_db.owner() as owner:
        owner.execute(guard.takeaway)
    attempt(operator, statement)


def attempt(actor: Actor, statement: str) -> None:
    """As the application's login, undone afterwards if it came through."""
    with acting(actor), transaction.atomic():
        with connection.cursor() as cursor:
            for part in statement.split("; "):
                cursor.execute(part)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        transaction.set_rollback(True)


def test_without_its_guard_a_borrowed_number_takes_rows_that_nobody_agreed_to(
    real_db: RealDatabase, operator: Actor, approver: Actor
) -> None:
    with acting(operator):
        outcome = ask(operator, "shop.order", keys_of(orders(12)))
        orders(3)
    agree(outcome.ticket, approver)
    start(outcome.change, operator)
    borrow = (
        f"""SELECT set_config('custody.context', '{{"tenant": 1, "change": {outcome.change.pk}}}', true); """
        "UPDATE shop_order SET note = 'x' WHERE id IN (SELECT id FROM shop_order ORDER BY id DESC LIMIT 3)"
    )
    with pytest.raises(DatabaseError, match="did not freeze all"):
        attempt(operator, borrow)
    with real_db.owner() as owner:
        owner.execute(
            "CREATE OR REPLACE FUNCTION custody.coverage(change bigint, tenant integer, place text, relation oid, "
            "operation text, keys text[]) RETURNS SETOF text LANGUAGE sql AS $$ SELECT 'SELECT true' $$"
        )
    attempt(operator, borrow)


def test_without_the_token_a_row_that_moved_would_be_deleted(
    real_db: RealDatabase, operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:

    def drifted() -> tuple[Change, int]:
        with acting(operator):
            made = orders(12)
        outcome = ask(operator, "shop.order", keys_of(made))
        with acting(operator):
            Order.objects.filter(pk=made[3].pk).update(note="still needed")
        done = carry_out(outcome, operator, approver)
        with acting(operator):
            return done, SkippedRow.objects.filter(change=done).count()

    guarded, listed = drifted()
    assert (guarded.applied, listed) == (11, 1)
    real = EFFECTS["delete"]

    def careless(*chunk: Any) -> str:
        return real.chunk_sql(*chunk).replace(" AND o.xmin = r.token", "")

    monkeypatch.setitem(EFFECTS, "delete", replace(real, chunk_sql=careless))
    unguarded, listed = drifted()
    assert (unguarded.applied, listed) == (12, 0)


def test_without_the_conflict_condition_an_undo_would_overwrite(
    real_db: RealDatabase, operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from approvals import gate
    from changes.effects import revert
    from tests.journey import REASON

    def kept_by_hand() -> str:
        with acting(operator):
            (made,) = orders(1)
        done = work(ask(operator, "shop.order", keys_of([made])).change)
        with acting(operator):
            asked = gate.request_undo(done.pk, actor=operator, reason=REASON)
            Order.deleted.filter(pk=made.pk).update(status="kept by hand")
        work(asked.change)
        with acting(operator):
            return str(Order.objects_and_deleted.get(pk=made.pk).status)

    assert kept_by_hand() == "kept by hand"
    monkeypatch.setattr(revert, "undisputed", lambda *_: "true")
    assert kept_by_hand() == "active"


def test_without_the_lanes_lock_a_stale_worker_would_go_on(
    real_db: RealDatabase, operator: Actor, chunks_of_two: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from changes import chunks, lanes
    from changes.models import Lane

    def late_worker() -> Any:
        with acting(operator):
            change = ask(operator, "shop.order", keys_of(orders(6))).change
            first = lanes.claim(change, "slow")
            Lane.objects.filter(change=change).update(heartbeat_at="2020-01-01T00:00Z")
            lanes.claim(change, "quick")
            assert first is not None
            return chunks.advance(change, first)

    with pytest.raises(chunks.LaneLost):
        late_worker()

    class Blind(lanes.Claim):
        """A claim that is always the latest."""

        @property
        def fence(self) -> int:  # type: ignore[override]
            return Lane.objects.values_list("fence", flat=True).get(pk=self.lane_id)

        @fence.setter
        def fence(self, value: int) -> None:
            return None

    def claim(change: Change, worker: str) -> Any:
        held = real_claim(change, worker)
        blind = object.__new__(Blind)
        object.__setattr__(blind, "lane_id", held.lane_id if held else 0)
        return blind

    real_claim = lanes.claim
    monkeypatch.setattr(lanes, "claim", claim)
    assert late_worker() is True
