"""Asking for a change: who may, what must be said, and what the same request twice comes to."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import transaction

from access.errors import NotAllowed
from access.models import Decision
from approvals import gate
from audit.errors import UnknownEntity
from changes import drafts, submission
from changes.errors import (
    ChangeNotFound,
    NotTheRequester,
    ReasonMissing,
    RequestKeyReused,
    UnknownOperation,
    WrongState,
)
from changes.models import Change
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from tests.journey import REASON, ask, keys_of, work
from tests.personas import order, orders

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("role", ["approver", "auditor", "administrator", "outsider"])
def test_who_may_not_ask_is_refused_and_the_refusal_recorded(role: str, request: Any, operator: Actor) -> None:
    someone = request.getfixturevalue(role)
    with acting(operator):
        made = order()
    with pytest.raises(NotAllowed):
        ask(someone, "shop.order", keys_of([made]))
    refused = Decision.objects.get(action="change.request", person_id=someone.person_id)
    assert not refused.allowed
    assert not Change.objects.exists()


def test_an_engineer_may_ask(engineer: Actor) -> None:
    with acting(engineer):
        assert ask(engineer, "shop.order", keys_of([order()])).change.state == State.RUNNING


@pytest.mark.parametrize("reason", ["", "   ", "too short", "\x00" * 20, " " * 30 + "x"])
def test_a_reason_must_say_something(at_work: Actor, reason: str) -> None:
    with pytest.raises(ReasonMissing) as refused:
        ask(at_work, "shop.order", keys_of([order()]), reason=reason)
    assert refused.value.facts["field"] == "reason"


def test_reason_and_title_are_kept_as_postgresql_can_hold_them(at_work: Actor) -> None:
    change = ask(
        at_work, "shop.order", keys_of([order()]), reason=" a\x00 good \ud800 reason ", title="t\x00\udfff"
    ).change
    change.refresh_from_db()
    assert change.reason == "a good ? reason"
    assert change.title == "t?"


def test_an_unknown_operation_or_table_is_refused(at_work: Actor) -> None:
    with pytest.raises(UnknownOperation):
        ask(at_work, "shop.order", keys_of([order()]), operation="truncate")
    for label in ("shop.nothing", "auth.user", "shop", "", "shop.order; drop", "changes.change"):
        with pytest.raises(UnknownEntity):
            ask(at_work, label, {"keys": [1]})


def test_a_change_without_a_title_gets_one(at_work: Actor) -> None:
    made = order()
    assert ask(at_work, "shop.order", keys_of([made])).change.title == f"Delete orders with the keys {made.pk}"


class TestRequestKey:
    def test_the_same_request_twice_is_one_change(self, at_work: Actor) -> None:
        key, rows = uuid.uuid4(), orders(12)
        first = ask(at_work, "shop.order", keys_of(rows), request_key=key)
        second = ask(at_work, "shop.order", keys_of(rows), request_key=key)
        assert (first.change.pk, first.ticket.pk) == (second.change.pk, second.ticket.pk)
        assert Change.objects.count() == 1

    def test_the_answer_stays_the_same_when_the_change_is_done(self, at_work: Actor) -> None:
        key, rows = uuid.uuid4(), orders(2)
        first = ask(at_work, "shop.order", keys_of(rows), request_key=key)
        work(first.change)
        assert ask(at_work, "shop.order", keys_of(rows), request_key=key).change.state == State.DONE

    @pytest.mark.parametrize(
        "other",
        [
            {"entity": "shop.customer"},
            {"operation": "restore"},
            {"selection": {"keys": [1]}},
            {"reason": "another good reason"},
            {"title": "another title"},
            {"cascade_also": ["shop.orderitem.order"]},
        ],
        ids=lambda other: next(iter(other)),
    )
    def test_the_same_key_for_another_request_is_refused(self, at_work: Actor, other: dict[str, Any]) -> None:
        asked = {
            "entity": "shop.order",
            "operation": "delete",
            "selection": keys_of(orders(2)),
            "reason": REASON,
            "title": "a title",
            "request_key": uuid.uuid4(),
        }
        first = gate.request(at_work, **asked)
        with pytest.raises(RequestKeyReused) as refused:
            gate.request(at_work, **asked | other)
        assert refused.value.facts["change_id"] == first.change.pk

    def test_an_undo_with_the_key_of_another_undo_is_refused(self, at_work: Actor) -> None:
        key = uuid.uuid4()
        first, second = (work(ask(at_work, "shop.order", keys_of(orders(1))).change) for _ in range(2))
        gate.request_undo(first.pk, actor=at_work, reason=REASON, request_key=key)
        with pytest.raises(RequestKeyReused):
            gate.request_undo(second.pk, actor=at_work, reason=REASON, request_key=key)

    def test_keys_of_different_people_do_not_meet(self, operator: Actor, engineer: Actor) -> None:
        key = uuid.uuid4()
        with acting(operator):
            first = ask(operator, "shop.order", keys_of(orders(1)), request_key=key)
        with acting(engineer):
            second = ask(engineer, "shop.order", keys_of(orders(1)), request_key=key)
        assert first.change.pk != second.change.pk


class TestDrafts:
    def draft(self, actor: Actor) -> Change:
        return drafts.save(actor, entity="shop.order", operation="delete", selection=keys_of(orders(2)))

    def test_a_draft_freezes_nothing(self, at_work: Actor) -> None:
        draft = self.draft(at_work)
        assert (draft.state, draft.parts.count()) == (State.DRAFT, 0)

    def test_a_submitted_draft_is_the_change(self, at_work: Actor) -> None:
        draft = self.draft(at_work)
        outcome = ask(at_work, "shop.order", draft.selection, draft_id=draft.pk)
        assert outcome.change.pk == draft.pk
        assert outcome.change.state == State.RUNNING

    def test_a_draft_is_submitted_once(self, at_work: Actor) -> None:
        draft = self.draft(at_work)
        ask(at_work, "shop.order", draft.selection, draft_id=draft.pk)
        with pytest.raises(WrongState):
            ask(at_work, "shop.order", draft.selection, draft_id=draft.pk)

    def test_a_draft_belongs_to_its_writer(self, operator: Actor, engineer: Actor) -> None:
        with acting(operator):
            draft = self.draft(operator)
        with acting(engineer), pytest.raises(NotTheRequester):
            drafts.get(draft.pk, engineer)
        with pytest.raises(NotTheRequester), transaction.atomic():
            ask(engineer, "shop.order", draft.selection, draft_id=draft.pk)


def test_nobody_sees_the_changes_of_another_tenant(operator: Actor, persona: Any) -> None:
    with acting(operator):
        change = ask(operator, "shop.order", keys_of(orders(12))).change
    theirs = persona("operator", name="Other Operator", tenant=2)
    with acting(theirs), pytest.raises(ChangeNotFound):
        gate.request_undo(change.pk, actor=theirs, reason=REASON)


def test_submitting_decides_nothing(at_work: Actor) -> None:
    """Below the gate a change is only frozen."""
    change = submission.submit(
        at_work, entity="shop.order", operation="delete", selection=keys_of(orders(2)), reason=REASON
    )
    assert change.state == State.FROZEN
