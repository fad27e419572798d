"""An undo after the table has changed maps what was renamed, and says what cannot come back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from approvals import gate
from changes.errors import ConflictsFound
from changes.models import Change
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.databases import RealDatabase
from tests.journey import REASON, ask, keys_of, undo, work
from tests.personas import orders


def updated(actor: Actor) -> tuple[Change, list[Any]]:
    with acting(actor):
        made = orders(2, note="as it was", currency="EUR")
    outcome = ask(
        actor, "shop.order", keys_of(made), operation="update", options={"set": {"note": "slip", "currency": "USD"}}
    )
    return work(outcome.change), made


def was_called(database: RealDatabase, change: Change, former: str) -> None:
    """As if `note` had had this name when the change ran."""
    with database.owner() as owner:
        owner.execute("SET custody.all_tenants = 'on'")
        owner.execute("ALTER TABLE changes_changepart DISABLE TRIGGER custody_frozen_update")
        owner.execute(
            "UPDATE changes_changepart SET columns = replace(columns::text, '\"note\"', %s)::jsonb WHERE change_id = %s",
            [f'"{former}"', change.pk],
        )
        owner.execute("ALTER TABLE changes_changepart ENABLE ALWAYS TRIGGER custody_frozen_update")


def contents(actor: Actor) -> set[tuple[str, str]]:
    with acting(actor):
        return set(Order.objects.values_list("note", "currency"))


def test_a_renamed_column_comes_back_under_its_present_name(
    real_db: RealDatabase, operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, _ = updated(operator)
    was_called(real_db, done, "remark")
    monkeypatch.setattr(Order, "governance", replace(Order.governance, renamed={"remark": "note"}))
    assert undo(done, operator).applied == 2
    assert contents(operator) == {("as it was", "EUR")}


def test_a_column_that_is_gone_is_named_and_the_others_come_back(real_db: RealDatabase, operator: Actor) -> None:
    done, _ = updated(operator)
    was_called(real_db, done, "remark")
    back = undo(done, operator)
    finding = next(one for one in back.preflight if one["check"] == "columns")
    assert (finding["level"], finding["facts"]["lost"]) == ("warn", [{"entity": "shop.order", "column": "remark"}])
    assert contents(operator) == {("slip", "EUR")}


def test_a_column_that_is_gone_can_stop_the_undo(real_db: RealDatabase, operator: Actor) -> None:
    done, _ = updated(operator)
    was_called(real_db, done, "remark")
    with acting(operator), pytest.raises(ConflictsFound, match="remark"):
        gate.request_undo(done.pk, actor=operator, reason=REASON, options={"conflicts": {"column_gone": "abort"}})


def test_a_table_under_its_former_name_is_found(
    real_db: RealDatabase, operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, _ = updated(operator)
    monkeypatch.setattr(Order, "governance", replace(Order.governance, formerly=("shop.purchase",)))
    with real_db.owner() as owner:
        owner.execute("SET custody.all_tenants = 'on'")
        owner.execute("ALTER TABLE changes_changepart DISABLE TRIGGER custody_frozen_update")
        owner.execute("UPDATE changes_changepart SET entity = 'shop.purchase' WHERE change_id = %s", [done.pk])
        owner.execute("ALTER TABLE changes_changepart ENABLE ALWAYS TRIGGER custody_frozen_update")
    assert undo(done, operator).applied == 2
    assert contents(operator) == {("as it was", "EUR")}
