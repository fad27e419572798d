"""The estimate: the chunk's own statement, measured and taken back; what may stand in the way of an undo, told before."""

from __future__ import annotations

from typing import Any

import pytest

from audit.models import Event
from changes.planning import preview
from changes.preflight import estimate
from changes.selection import Selection
from foundation.actor import Actor
from shop.models import Customer, UserTag
from tests.journey import SHOP, ask, checksum, keys_of
from tests.personas import customer, tags

pytestmark = pytest.mark.django_db


def findings(actor: Actor, model: Any, rows: list[Any], operation: str = "delete") -> dict[str, dict[str, Any]]:
    chosen = Selection.parse(keys_of(rows), model)
    found = preview(actor, entity=model, operation=operation, selection=chosen).findings
    return {one.check: one.as_json() for one in found}


def test_it_is_measured_and_leaves_nothing_behind(at_work: Actor) -> None:
    rows = tags(300)
    before = checksum(*SHOP, "shop_historicalusertag")
    events = Event.objects.count()
    facts = findings(at_work, UserTag, rows)["estimate"]["facts"]
    assert (facts["rows"], facts["sampled"], facts["left"]) == (300, 200, 0)
    assert facts["seconds"] > 0
    assert facts["wal_bytes"] > 300 * 50, "a row and its version are more than 50 bytes"
    assert checksum(*SHOP, "shop_historicalusertag") == before
    assert Event.objects.count() == events


def test_it_stands_on_the_change_and_the_run_changes_every_row(at_work: Actor, approver: Actor) -> None:
    from tests.journey import carry_out

    done = carry_out(ask(at_work, "shop.usertag", keys_of(tags(600))), at_work, approver)
    assert next(one for one in done.preflight if one["check"] == "estimate")["code"] == "estimate"
    assert (done.applied, done.skipped) == (600, 0), "the measurement left every token as it was"


def test_few_rows_are_not_worth_it(at_work: Actor) -> None:
    assert "estimate" not in findings(at_work, UserTag, tags(100))


def test_whatever_the_database_refuses_is_no_block(at_work: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "LSN", "SELECT 1/0")
    one = findings(at_work, UserTag, tags(101))["estimate"]
    assert (one["level"], one["code"], one["facts"]["left"]) == ("pass", "not_measured", 101)


def test_unique_values_that_become_free_are_told(at_work: Actor) -> None:
    facts = findings(at_work, Customer, [customer()])["undo_later"]["facts"]
    risks = {risk["kind"]: risk["columns"] for risk in facts["risks"]}
    assert risks == {"unique": ["email"], "parents": ["referred_by_id"]}
