"""A draft can be thrown away, and what was agreed to can be called off until it begins."""

from __future__ import annotations

from typing import Any

import pytest

from access.errors import NotAllowed
from audit.models import Event
from changes import drafts, execution
from changes.errors import NotTheRequester, WrongState
from changes.models import Change
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.changes.test_races import as_actor, at_once, refusals
from tests.journey import agree, ask, keys_of, start, work
from tests.personas import orders


def discard(change: Change, actor: Actor) -> Change:
    with acting(actor):
        return execution.discard(change.pk, actor=actor)


@pytest.fixture
def draft(operator: Actor) -> Change:
    with acting(operator):
        return drafts.save(operator, entity="shop.order", operation="delete", selection=keys_of(orders(2)))


@pytest.fixture
def cleared(operator: Actor, approver: Actor) -> Change:
    with acting(operator):
        outcome = ask(operator, "shop.order", keys_of(orders(12)))
    agree(outcome.ticket, approver)
    with acting(operator):
        outcome.change.refresh_from_db()
    return outcome.change


@pytest.mark.django_db
class TestDiscard:
    def test_a_draft_is_thrown_away_by_who_wrote_it(self, draft: Change, operator: Actor, engineer: Actor) -> None:
        with pytest.raises(NotTheRequester):
            discard(draft, engineer)
        assert discard(draft, operator).state == State.REFUSED

    def test_what_is_called_off_is_never_started(self, cleared: Change, operator: Actor) -> None:
        assert discard(cleared, operator).state == State.REFUSED
        with pytest.raises(WrongState):
            start(cleared, operator)
        with acting(operator):
            assert Order.objects.count() == 12
            acts = Event.objects.filter(change_id=cleared.pk, action="change.discarded")
            assert [event.operator_name for event in acts] == [operator.name]

    def test_a_waiting_change_is_withdrawn_instead(self, operator: Actor) -> None:
        with acting(operator):
            change = ask(operator, "shop.order", keys_of(orders(12))).change
        with pytest.raises(WrongState, match="waiting for approval"):
            discard(change, operator)

    def test_what_has_begun_is_stopped_instead(self, cleared: Change, operator: Actor) -> None:
        start(cleared, operator)
        with pytest.raises(WrongState):
            discard(cleared, operator)
        assert work(cleared).state == State.DONE
        with pytest.raises(WrongState):
            discard(cleared, operator)

    def test_only_who_may_ask_may_call_off(self, cleared: Change, approver: Actor, auditor: Actor) -> None:
        for other in (approver, auditor):
            with pytest.raises(NotAllowed):
                discard(cleared, other)


def test_of_start_and_call_off_at_once_one_wins(real_db: Any, cleared: Change, operator: Actor) -> None:
    results = at_once(
        as_actor(operator, execution.start, cleared.pk, actor=operator),
        as_actor(operator, execution.discard, cleared.pk, actor=operator),
    )
    assert refusals(results) == ["wrong_state"]
    with acting(operator):
        cleared.refresh_from_db()
        assert cleared.lanes.exists() == (cleared.state == State.RUNNING)
