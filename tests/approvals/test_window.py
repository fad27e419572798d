"""Small changes of one person count together; the next one beyond the window needs a ticket, for the database too."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from approvals.models import Ticket
from changes.models import Change
from changes.states import State
from foundation.actor import Actor
from foundation.context import acting
from tests.databases import RealDatabase
from tests.journey import ask, carry_out, keys_of, work
from tests.personas import orders


@pytest.fixture
def narrow(real_db: RealDatabase) -> RealDatabase:
    """Ten orders at once, twenty-five within ten minutes."""
    with real_db.owner() as owner:
        owner.execute("UPDATE audit_governedtable SET window_rows = 25 WHERE entity = 'shop.order'")
    return real_db


@pytest.fixture(autouse=True)
def same_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    from audit import registry

    monkeypatch.setattr(registry, "window_rows", lambda model: 25)


def small(actor: Actor, rows: int = 9) -> Any:
    with acting(actor):
        made = orders(rows)
    return ask(actor, "shop.order", keys_of(made))


def test_three_times_nine_is_twenty_seven(narrow: RealDatabase, operator: Actor, approver: Actor) -> None:
    for _ in range(2):
        outcome = small(operator)
        assert outcome.ticket is None
        work(outcome.change)
    third = small(operator)
    assert third.ticket is not None
    assert third.ticket.rule["over"] == [["shop.order", 27, 25]]
    assert carry_out(third, operator, approver).state == State.DONE


def test_what_was_agreed_to_does_not_count(narrow: RealDatabase, operator: Actor, approver: Actor) -> None:
    with acting(operator):
        made = orders(20)
    carry_out(ask(operator, "shop.order", keys_of(made)), operator, approver)
    assert small(operator).ticket is None


def test_another_person_has_a_window_of_their_own(narrow: RealDatabase, operator: Actor, engineer: Actor) -> None:
    for _ in range(2):
        work(small(operator).change)
    assert small(engineer).ticket is None


def test_what_lies_ten_minutes_back_does_not_count(narrow: RealDatabase, operator: Actor) -> None:
    for _ in range(2):
        work(small(operator).change)
    with narrow.owner() as owner:
        owner.execute("SET custody.all_tenants = 'on'")
        owner.execute("ALTER TABLE changes_change DISABLE TRIGGER custody_step")
        owner.execute("UPDATE changes_change SET frozen_at = frozen_at - interval '11 minutes'")
        owner.execute("ALTER TABLE changes_change ENABLE ALWAYS TRIGGER custody_step")
    assert small(operator).ticket is None


def test_the_database_says_it_too(narrow: RealDatabase, operator: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the count in Python the third change is refused where it would be cleared; without both it would pass."""
    from approvals import window

    monkeypatch.setattr(window, "full", lambda change: ())
    for _ in range(2):
        work(small(operator).change)
    with pytest.raises(DatabaseError, match="approved by enough others"):
        small(operator)
    with acting(operator):
        assert not Ticket.objects.exists()
        assert Change.objects.count() == 2, "nothing of it is left"
    with narrow.owner() as owner:
        owner.execute(
            "CREATE OR REPLACE FUNCTION custody.window_full(tenant integer, change bigint) RETURNS boolean "
            "LANGUAGE sql AS 'SELECT false'"
        )
    assert small(operator).ticket is None


def test_a_change_that_was_let_through_goes_on_after_a_pause(narrow: RealDatabase, operator: Actor) -> None:
    from changes import execution

    first = small(operator).change
    with acting(operator):
        execution.pause(first.pk, actor=operator)
    work(small(operator).change)
    with acting(operator), transaction.atomic(), connection.cursor():
        execution.start(first.pk, actor=operator)
    assert work(first).state == State.DONE
