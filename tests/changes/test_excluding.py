"""Leaving out what a check objects to: a draft with another selection, exactly without these rows."""

from __future__ import annotations

from typing import Any

import pytest

from changes import drafts, excluding
from changes.errors import NoSelection, NothingToLeaveOut, NothingWouldStay, UnknownCheck
from changes.models import Change
from changes.planning import preview
from changes.selection import Selection
from foundation.actor import Actor
from shop.models import Customer
from tests.journey import ask, carry_out, keys_of
from tests.personas import customer, order, orders

pytestmark = pytest.mark.django_db


def draft(actor: Actor, selection: dict[str, Any], **more: Any) -> Change:
    return drafts.save(actor, entity="shop.customer", operation="delete", selection=selection, **more)


def rows_of(one: Change) -> list[int]:
    selection = Selection.parse(one.selection, Customer)
    return sorted(selection.narrow(Customer.objects.all()).values_list("pk", flat=True))


def test_rows_that_others_hold_on_to_leave_a_list_of_keys(at_work: Actor) -> None:
    free, held = customer(), customer()
    order(held)
    before = draft(at_work, keys_of([free, held]), reason="they have left us")
    after = excluding.exclude(before.pk, "protected_rows", actor=at_work)
    assert (after.pk, after.reason) == (before.pk, before.reason)
    assert rows_of(after) == [free.pk]


def test_conditions_stay_and_the_keys_are_taken_out_of_them(at_work: Actor) -> None:
    free, held = customer(plan="pro"), customer(plan="pro")
    customer(plan="basic")
    order(held)
    where = {"where": [{"field": "plan", "op": "eq", "value": "pro"}]}
    after = excluding.exclude(draft(at_work, where).pk, "protected_rows", actor=at_work)
    assert after.selection == {**where, "without": [str(held.pk)]}
    assert rows_of(after) == [free.pk]
    assert "without 1 rows" in Selection.parse(after.selection, Customer).describe()
    look = preview(at_work, entity=Customer, operation="delete", selection=Selection.parse(after.selection, Customer))
    assert not look.blocked


def test_nothing_to_leave_out_is_said(at_work: Actor) -> None:
    with pytest.raises(NothingToLeaveOut):
        excluding.exclude(draft(at_work, keys_of([customer()])).pk, "protected_rows", actor=at_work)


def test_a_draft_of_nothing_is_not_made(at_work: Actor) -> None:
    held = customer()
    order(held)
    with pytest.raises(NothingWouldStay):
        excluding.exclude(draft(at_work, keys_of([held])).pk, "protected_rows", actor=at_work)


def test_only_checks_that_name_rows_can_leave_them_out(at_work: Actor) -> None:
    with pytest.raises(UnknownCheck, match="protected_rows"):
        excluding.exclude(draft(at_work, keys_of([customer()])).pk, "size", actor=at_work)


def test_an_undo_has_no_selection(at_work: Actor, approver: Actor) -> None:
    from approvals import gate

    done = carry_out(ask(at_work, "shop.order", keys_of(orders(11))), at_work, approver)
    back = gate.request_undo(done.pk, actor=at_work, reason="it was a mistake").change
    with pytest.raises(NoSelection):
        excluding.exclude(back.pk, "protected_rows", actor=at_work)
