"""Legal holds: what is held stays as it is, whoever asks; placed by one person, lifted by another; the database keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction

from access.errors import NotAllowed
from approvals import starting
from audit.models import Event
from changes import excluding
from changes.errors import EmptySelection, PreflightBlocks
from changes.holds import placing, standing
from changes.holds.errors import BadScope, HoldNotOpen, OwnHold, TextMissing
from changes.holds.models import HeldRow, Hold
from changes.models import Change, Lane, SkippedRow
from changes.preflight import register
from changes.states import SkipReason, State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import BehaviourLog, Order
from tests.changes.test_purge import deleted
from tests.journey import agree, ask, keys_of, one_chunk, start, work
from tests.personas import logs, order_with_items, orders

pytestmark = pytest.mark.django_db


def hold(actor: Actor, rows: Any = None, entity: str = "shop.order", **more: Any) -> Hold:
    """A hold on these rows, or on more."""
    terms = {"name": "Case Miller", "matter": "2026-17", "reason": "asked for by the court"}
    scope = {"scope": "rows", "selection": keys_of(rows)} if rows is not None else {}
    with acting(actor):
        return placing.place(placing.Terms(**{**terms, "entity": entity, **scope, **more}), actor=actor)


class TestPlacing:
    def test_the_keys_are_frozen_and_it_is_an_event(self, at_work: Actor, auditor: Actor) -> None:
        rows = orders(3)
        rows[0].delete()
        made = hold(auditor, rows)
        assert (made.rows, HeldRow.objects.filter(hold_id=made.pk).count()) == (3, 3), "deleted rows are held too"
        event = Event.objects.get(action="hold.placed")
        assert (event.operator_name, event.facts["matter"], event.affected_rows) == (auditor.name, "2026-17", 3)

    def test_rows_that_match_later_are_not_held(self, at_work: Actor, auditor: Actor) -> None:
        orders(2, note="case")
        where = {"where": [{"field": "note", "op": "eq", "value": "case"}]}
        hold(auditor, scope="rows", selection=where)
        later = orders(1, note="case")
        assert ask(at_work, "shop.order", keys_of(later)).change.state == State.RUNNING

    def test_an_operator_may_not(self, at_work: Actor) -> None:
        with pytest.raises(NotAllowed):
            hold(at_work, orders(1))

    @pytest.mark.parametrize(
        ("wrong", "error"),
        [({"matter": " "}, TextMissing), ({"reason": "short"}, TextMissing), ({"scope": "world"}, BadScope)],
    )
    def test_bad_terms_name_the_field(self, at_work: Actor, auditor: Actor, wrong: Any, error: Any) -> None:
        with pytest.raises(error) as refused:
            hold(auditor, orders(1), **wrong)
        assert refused.value.facts["field"] == next(iter(wrong))

    def test_a_hold_on_nothing_is_refused(self, at_work: Actor, auditor: Actor) -> None:
        with pytest.raises(EmptySelection):
            hold(auditor, scope="rows", selection={"keys": [987654321]})


class TestLifting:
    def test_another_person_lifts_it_and_the_rows_are_free(
        self, at_work: Actor, auditor: Actor, approver: Actor
    ) -> None:
        rows = orders(2)
        made = hold(auditor, rows)
        with acting(approver):
            lifted = placing.lift(made.pk, actor=approver, reason="the case is closed")
        assert lifted.lifted_name == approver.name
        assert Event.objects.filter(action="hold.lifted").count() == 1
        assert ask(at_work, "shop.order", keys_of(rows)).change.state == State.RUNNING

    def test_not_whoever_placed_it(self, at_work: Actor, auditor: Actor) -> None:
        made = hold(auditor, orders(1))
        with acting(auditor), pytest.raises(OwnHold), transaction.atomic():
            placing.lift(made.pk, actor=auditor, reason="the case is closed")
        with pytest.raises(IntegrityError, match="two_persons"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE changes_hold SET lifted_at = now(), lifted_person_id = placed_person_id")

    def test_only_once(self, at_work: Actor, auditor: Actor, approver: Actor) -> None:
        made = hold(auditor, orders(1))
        with acting(approver):
            placing.lift(made.pk, actor=approver, reason="the case is closed")
            with pytest.raises(HoldNotOpen), transaction.atomic():
                placing.lift(made.pk, actor=approver, reason="the case is closed")

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE changes_hold SET matter = 'x'",
            "UPDATE changes_hold SET scope = 'table'",
            "DELETE FROM changes_hold",
            "DELETE FROM changes_heldrow",
            "UPDATE changes_heldrow SET key = '1'",
        ],
    )
    def test_its_terms_stay(self, at_work: Actor, auditor: Actor, statement: str) -> None:
        hold(auditor, orders(1))
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


class TestWhatIsHeld:
    @pytest.mark.parametrize("scope", ["rows", "table", "tenant"])
    def test_a_change_of_held_rows_is_refused_and_says_how_many(
        self, at_work: Actor, auditor: Actor, scope: str
    ) -> None:
        rows = orders(5)
        more = {} if scope == "rows" else {"scope": scope, "selection": None}
        hold(auditor, rows[:2], **more)
        with pytest.raises(PreflightBlocks, match="Legal hold") as refused:
            ask(at_work, "shop.order", keys_of(rows))
        assert refused.value.facts["findings"][0]["facts"]["rows"] == (2 if scope == "rows" else 5)
        assert Order.objects.count() == 5

    def test_children_that_would_go_along_count(self, at_work: Actor, auditor: Actor) -> None:
        made = order_with_items(2)
        hold(auditor, made.items.all()[:1], entity="shop.orderitem")
        with pytest.raises(PreflightBlocks, match="Legal hold"):
            ask(at_work, "shop.order", keys_of([made]))

    def test_one_row_by_the_orm_too(self, at_work: Actor, auditor: Actor) -> None:
        (row,) = orders(1)
        hold(auditor, [row])
        with pytest.raises(PreflightBlocks), transaction.atomic():
            row.delete()

    def test_another_tenants_hold_is_not_ours(self, at_work: Actor, persona: Any) -> None:
        hold(persona("auditor", name="Other Auditor", tenant=2), scope="tenant", entity="", selection=None)
        assert ask(at_work, "shop.order", keys_of(orders(2))).change.state == State.RUNNING

    def test_rows_on_hold_are_left_out_into_a_draft(self, at_work: Actor, auditor: Actor, approver: Actor) -> None:
        rows = orders(12)
        outcome = ask(at_work, "shop.order", keys_of(rows))
        hold(auditor, rows[:2])
        with pytest.raises(PreflightBlocks, match="Legal hold"):
            agree(outcome.ticket, approver)
        draft = excluding.exclude(outcome.change.pk, "legal_hold", actor=at_work)
        assert draft.pk != outcome.change.pk
        assert draft.selection == keys_of(rows[2:])


def cleared(actor: Actor, approver: Actor, rows: list[Any], entity: str = "shop.order", **more: Any) -> Change:
    outcome = ask(actor, entity, keys_of(rows), **more)
    agree(outcome.ticket, approver)
    return outcome.change


class TestUnderWay:
    def test_rows_not_yet_touched_are_left_out_with_the_reason(
        self, at_work: Actor, auditor: Actor, approver: Actor, chunks_of_two: None
    ) -> None:
        rows = orders(12)
        change = cleared(at_work, approver, rows)
        start(change, at_work)
        one_chunk(change)
        hold(auditor, rows)
        work(change)
        assert (change.state, change.applied, change.skipped) == (State.DONE, 2, 10)
        assert set(SkippedRow.objects.values_list("reason", flat=True)) == {SkipReason.HOLD}

    def test_a_purge_leaves_them(
        self, engineer: Actor, auditor: Actor, approver: Actor, tmp_path: Path, settings: Any
    ) -> None:
        settings.CUSTODY_ARCHIVE_DIR = tmp_path
        with acting(engineer):
            rows = deleted(logs(4), policy="logs_90d")
            change = cleared(engineer, approver, rows, "shop.behaviourlog", operation="purge")
            start(change, engineer)
            hold(auditor, rows[:1], entity="shop.behaviourlog")
            work(change)
            assert (change.state, change.applied, change.skipped) == (State.DONE, 3, 1)
            assert list(BehaviourLog.objects_and_deleted.all()) == rows[:1]
            assert SkippedRow.objects.get().reason == SkipReason.HOLD


class TestSabotage:
    @pytest.fixture(autouse=True)
    def engine_forgets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither the check nor the engine's statements know of holds any more."""
        monkeypatch.delitem(register.CHECKS, "legal_hold")
        monkeypatch.setattr(standing, "condition", lambda tenant, entity: "")

    def test_the_database_takes_the_chunk_back(self, at_work: Actor, auditor: Actor, approver: Actor) -> None:
        rows = orders(12)
        change = cleared(at_work, approver, rows)
        hold(auditor, rows[:1])
        starting.start(change.pk, actor=at_work)
        one_chunk(change)
        assert Order.objects.count() == 12
        assert "legal hold" in Lane.objects.get(change=change).error

    def test_a_delete_by_the_orm_is_taken_back(self, at_work: Actor, auditor: Actor) -> None:
        (row,) = orders(1)
        hold(auditor, [row])
        with pytest.raises(OperationalError, match="legal hold"), transaction.atomic():
            row.delete()

    def test_the_trigger_is_always_on(self, at_work: Actor) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT tgenabled FROM pg_trigger WHERE tgname = 'custody_hold'")
            assert cursor.fetchone()[0] == "A"
