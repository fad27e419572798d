"""The database evaluates the rules: the narrowest that fits decides, of several tables the strictest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from approvals import gate
from approvals.models import Ticket
from approvals.rules import versions
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from tests.journey import ask, keys_of
from tests.personas import orders, tags

pytestmark = pytest.mark.django_db
ORDER, TAG = "shop.order", "shop.usertag"


def stage(group: str = "approver", need: int = 1) -> dict[str, Any]:
    return {"group": group, "need": need}


NOBODY = {"name": "otherwise", "stages": []}


def needed(operation: str = "delete", **parts: int) -> Any:
    found = gate.foreseen(operation, [(f"shop.{name}", rows) for name, rows in parts.items()])
    return found.stages


class TestWhatDecides:
    def test_the_narrowest_rule_that_fits(self, at_work: Actor, in_force: Callable[..., None]) -> None:
        in_force(
            NOBODY,
            {"name": "orders", "entities": [ORDER], "stages": [stage()]},
            {"name": "many", "entities": [ORDER], "rows_over": 100, "stages": [stage(need=3)]},
        )
        assert needed(order=1) == (("approver", 1),)
        assert needed(order=101) == (("approver", 3),)
        assert needed(usertag=9_999) == ()

    def test_of_several_tables_the_strictest_and_every_group(
        self, at_work: Actor, in_force: Callable[..., None]
    ) -> None:
        in_force(
            NOBODY,
            {"name": "orders", "entities": [ORDER], "stages": [stage(need=2)]},
            {"name": "tags", "entities": [TAG], "stages": [stage("engineer"), stage(need=1)]},
        )
        assert needed(order=1, usertag=1) == (("approver", 2), ("engineer", 1))

    @pytest.mark.parametrize(
        ("rule", "fits"),
        [
            ({"operations": ["purge"]}, False),
            ({"operations": ["delete"]}, True),
            ({"environments": ["production"]}, False),
            ({"environments": ["development"]}, True),
            ({"rows_over": 49}, True),
            ({"rows_over": 50}, False),
            ({"rows_up_to": 50}, True),
            ({"rows_up_to": 49}, False),
            ({"total_over": 79}, True),
            ({"total_over": 80}, False),
            ({"risk": "medium"}, True),
            ({"risk": "high"}, False),
            ({"sensitive": True}, False),
            ({"rows_over": "threshold"}, True),
        ],
    )
    def test_every_part_of_a_rule(
        self, at_work: Actor, in_force: Callable[..., None], rule: dict[str, Any], fits: bool
    ) -> None:
        in_force(NOBODY, {"name": "it", "entities": [ORDER], "stages": [stage(need=2)]} | rule)
        assert needed(order=50, usertag=30) == ((("approver", 2),) if fits else ())

    def test_what_no_rule_speaks_of_needs_somebody(self, at_work: Actor, in_force: Callable[..., None]) -> None:
        in_force({"name": "tags", "entities": [TAG], "stages": []})
        assert needed(order=1) == (("approver", 1),)

    def test_an_operation_that_asks_for_people_itself_gets_them(
        self, at_work: Actor, in_force: Callable[..., None]
    ) -> None:
        in_force(NOBODY)
        assert gate.foreseen("purge", [(ORDER, 1)], least=1).stages == (("approver", 1),)

    def test_another_tenants_rules_are_not_ours(
        self, persona: Callable[..., Actor], in_force: Callable[..., None], operator: Actor
    ) -> None:
        with acting(operator):
            in_force({"name": "all", "stages": [stage(need=5)]})
            assert needed(order=1) == (("approver", 5),)
        with acting(persona("operator", name="Olga Other", tenant=2)):
            assert needed(order=1) == ()


class TestTheTicket:
    def test_it_carries_the_rule_and_its_version(self, at_work: Actor, in_force: Callable[..., None]) -> None:
        in_force(NOBODY, {"name": "orders", "entities": [ORDER], "stages": [stage(need=2)], "hours": 5})
        ticket = ask(at_work, ORDER, keys_of(orders(1))).ticket
        assert ticket is not None
        assert (ticket.rule_version, ticket.required, ticket.rule["rules"]) == (1, 2, {ORDER: "orders"})
        assert (ticket.expires_at - ticket.created_at).total_seconds() == pytest.approx(5 * 3600, abs=60)

    def test_lowering_a_rule_does_not_help_an_open_ticket(
        self, at_work: Actor, in_force: Callable[..., None], approver: Actor
    ) -> None:
        from approvals import decisions

        in_force({"name": "two", "stages": [stage(need=2)]})
        ticket = ask(at_work, ORDER, keys_of(orders(2))).ticket
        assert ticket is not None
        in_force(NOBODY)
        with acting(approver):
            after = decisions.vote(ticket.pk, actor=approver, decision="approve", digest=ticket.digest)
        assert (after.state, after.required) == (Ticket.State.PENDING, 2)
        with pytest.raises(DatabaseError, match="not been approved"), transaction.atomic():
            self.write("UPDATE changes_change SET state = 'cleared' WHERE id = %s", ticket.change_id)

    def test_the_application_cannot_lower_what_a_ticket_asks(self, at_work: Actor) -> None:
        ticket = ask(at_work, ORDER, keys_of(orders(11))).ticket
        assert ticket is not None
        for column in ("rule = '{}'", "required = 1, rule_version = 7"):
            with pytest.raises(DatabaseError, match="not rewritten"), transaction.atomic():
                self.write(f"UPDATE approvals_ticket SET {column} WHERE id = %s", ticket.pk)

    def test_a_ticket_opened_past_the_application_asks_what_the_rules_ask(
        self, at_work: Actor, in_force: Callable[..., None]
    ) -> None:
        from approvals import tickets
        from approvals.rules import Requirement
        from changes import submission
        from tests.journey import REASON

        in_force({"name": "three", "stages": [stage(need=3)]})
        change = submission.submit(
            at_work, entity=self.model(), operation="delete", selection=keys_of(orders(2)), reason=REASON
        )
        assert tickets.open_ticket(change, Requirement(1)).required == 3

    def test_without_a_ticket_a_change_that_needs_people_is_not_cleared(
        self, at_work: Actor, in_force: Callable[..., None]
    ) -> None:
        from changes import execution, submission
        from tests.journey import REASON

        in_force({"name": "all", "stages": [stage()]})
        change = submission.submit(
            at_work, entity=self.model(), operation="delete", selection=keys_of(orders(1)), reason=REASON
        )
        with pytest.raises(DatabaseError, match="not been approved"), transaction.atomic():
            execution.clear(change, by="threshold")

    def model(self) -> Any:
        from shop.models import Order

        return Order

    def write(self, statement: str, key: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, [key])


class TestVersions:
    @pytest.mark.parametrize(
        "verb", ["UPDATE approvals_ruleversion SET rules = '[]'", "DELETE FROM approvals_ruleversion"]
    )
    def test_the_application_cannot_write_them(self, at_work: Actor, verb: str) -> None:
        with (
            pytest.raises(DatabaseError, match="permission denied"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(verb)

    def test_a_proposal_is_tried_on_the_past(self, at_work: Actor) -> None:
        ask(at_work, ORDER, keys_of(orders(3)))
        ask(at_work, TAG, keys_of(tags(501)))
        stricter = versions.read([{"name": "all", "stages": [stage(need=2)]}])
        found = versions.preview([rule.as_json() for rule in stricter])
        assert (found.changes, found.more, found.fewer) == (2, 2, 0)
        looser = versions.read([NOBODY])
        found = versions.preview([rule.as_json() for rule in looser])
        assert (found.changes, found.more, found.fewer) == (2, 0, 1)
        assert [(one.entity, one.needed_before, one.needed_after) for one in found.sample] == [(TAG, 1, 0)]

    def test_the_settings_rules_are_the_databases(self, at_work: Actor, owner: psycopg.Connection) -> None:
        from approvals.rules import house

        assert house.stored(databases=["default"]) == []
        owner.execute("UPDATE approvals_house SET rules = '[]'")
        try:
            assert [found.id for found in house.stored(databases=["default"])] == ["custody.E131"]
        finally:
            with owner.cursor() as cursor:
                house.store(cursor)


def test_below_every_rule_a_change_runs_at_once(at_work: Actor) -> None:
    assert ask(at_work, ORDER, keys_of(orders(1))).change.state == State.RUNNING
