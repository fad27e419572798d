"""The context of the work in hand, without a database."""

from __future__ import annotations

import json
import threading

import pytest

from foundation.actor import Actor
from foundation.context import acting, current, inside

ANNA = Actor(kind="user", name="Anna", user_id=7, person_id=3, tenant_id=1, roles=frozenset({"operator"}))


def test_nobody_acts_outside_of_a_block() -> None:
    assert current() is None


def test_the_block_has_its_actor_and_the_actor_s_tenant() -> None:
    with acting(ANNA, reason="clean up") as context:
        assert current() is context
        assert (context.actor, context.tenant_id, context.reason) == (ANNA, 1, "clean up")
    assert current() is None


def test_another_tenant_can_be_named() -> None:
    with acting(ANNA, tenant_id=4):
        assert current().tenant_id == 4


def test_the_block_ends_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), acting(ANNA):
        _ = 1 / 0
    assert current() is None


def test_blocks_nest() -> None:
    with acting(ANNA) as outer:
        with acting(Actor.service("sweeper")) as inner:
            assert current() is inner
        assert current() is outer


def test_a_step_overrides_some_fields() -> None:
    with acting(ANNA, trace_id="t1") as outer, inside(change_id=9, action="delete") as step:
        assert (step.change_id, step.action, step.trace_id, step.actor) == (9, "delete", "t1", ANNA)
        assert outer.change_id is None


def test_a_step_needs_somebody_who_does_it() -> None:
    with pytest.raises(LookupError), inside(change_id=9):
        pass


def test_the_database_is_told_everything_that_is_known() -> None:
    with acting(ANNA, channel="api", trace_id="t", request_id="r", ip="10.0.0.7", change_id=5, action="delete",
                reason="wrong\nimport “x”", decision_id="d") as context:  # fmt: skip
        told = json.loads(context.as_json())
    assert told == {
        "user": 7, "person": 3, "name": "Anna", "tenant": 1, "channel": "api", "trace": "t", "request": "r",
        "ip": "10.0.0.7", "change": 5, "action": "delete", "reason": "wrong\nimport “x”", "decision": "d",
    }  # fmt: skip


def test_what_is_unknown_is_left_out() -> None:
    with acting(Actor.service("sweeper")) as context:
        assert json.loads(context.as_json()) == {"name": "sweeper", "channel": "shell"}


def test_another_thread_starts_without_a_context() -> None:
    seen: list[object] = []
    with acting(ANNA):
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_a_service_is_no_person() -> None:
    service = Actor.service("scheduler", tenant_id=2)
    assert (service.kind, service.user_id, service.person_id, service.tenant_id) == ("service", None, None, 2)
    assert service.has("service")
    assert not service.has("operator", "approver")
