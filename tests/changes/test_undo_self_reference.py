"""A table that points to itself has two parts in one change: rows that go, and links that are cleared."""

from __future__ import annotations

from typing import Any

from foundation.context import acting
from tests import journey
from tests.personas import customer, tag


def test_undo_brings_children_back_when_the_same_table_lost_links_too(db: Any, operator: Any, approver: Any) -> None:
    with acting(operator):
        referrer = customer()
        customer(referred_by=referrer)
        tag(referrer)
        before = journey.checksum(*journey.SHOP)
    change = journey.carry_out(journey.ask(operator, "shop.customer", journey.keys_of([referrer])), operator, approver)

    undone = journey.undo(change, operator, approver)

    assert undone.state == "done"
    with acting(operator):
        assert journey.checksum(*journey.SHOP) == before
