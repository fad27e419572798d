"""The guards of update and import are alive: without them the attempt succeeds, so a test can see one gone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from changes.digests import change_digest
from changes.effects import EFFECTS
from changes.models import Change
from changes.plan import PartPlan
from changes.states import Effect
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.changes.uploads import ask_import, send
from tests.databases import RealDatabase
from tests.journey import ask, carry_out, keys_of
from tests.personas import orders

REWRITE = 'UPDATE changes_importrow SET "values" = \'["x", "y"]\' WHERE change_id = {id} AND line = 2'
GUARDS = {
    "update": REWRITE,
    "delete": "DELETE FROM changes_importrow WHERE change_id = {id} AND line = 2",
    "insert": 'INSERT INTO changes_importrow (tenant_id, change_id, line, verdict, reason, detail, "values", problems) '
    "VALUES (1, {id}, 99, 'new', '', '', '[]', '[]')",
}


def frozen_import(operator: Actor) -> Any:
    with acting(operator):
        rows = orders(12, note="before")
    text = "number,note\n" + "".join(f"{row.number},after\n" for row in rows)
    return ask_import(operator, send(operator, text))


def attempt(actor: Actor, statement: str, change: Change) -> None:
    with acting(actor), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(id=change.pk))


@pytest.mark.parametrize("kind", GUARDS)
def test_lines_stay_as_long_as_the_trigger_is_there(real_db: RealDatabase, operator: Actor, kind: str) -> None:
    change = frozen_import(operator).change
    with pytest.raises(DatabaseError, match="not rewritten"):
        attempt(operator, GUARDS[kind], change)
    with real_db.owner() as owner:
        owner.execute(f"DROP TRIGGER custody_frozen_{kind} ON changes_importrow")
    attempt(operator, GUARDS[kind], change)


def test_without_its_content_the_fingerprint_overlooks_a_rewritten_line(
    real_db: RealDatabase, operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen(change: Change) -> bool:
        """Whether a line that is rewritten past the trigger shows in the fingerprint."""
        parts = [
            PartPlan(number=p.part, entity=Order, effect=Effect(p.effect), columns=tuple(p.columns), rows=p.rows)
            for p in change.parts.all()
        ]
        before = change_digest(change, parts, change.schema_fingerprint)
        attempt(operator, REWRITE, change)
        return before != change_digest(change, parts, change.schema_fingerprint)

    first, second = frozen_import(operator).change, frozen_import(operator).change
    with real_db.owner() as owner:
        owner.execute("DROP TRIGGER custody_frozen_update ON changes_importrow")
    with acting(operator):
        assert seen(first)
        monkeypatch.setitem(EFFECTS, Effect.LOAD, replace(EFFECTS[Effect.LOAD], content=None))
        assert not seen(second)


@pytest.mark.parametrize("effect", [Effect.SET, Effect.LOAD])
def test_without_the_token_newer_work_would_be_overwritten(
    real_db: RealDatabase, operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch, effect: Effect
) -> None:
    def ask_for(effect: Effect) -> Any:
        if effect is Effect.LOAD:
            return frozen_import(operator)
        with acting(operator):
            rows = orders(12, note="before")
        return ask(operator, "shop.order", keys_of(rows), operation="update", options={"set": {"note": "after"}})

    def kept() -> str:
        outcome = ask_for(effect)
        with acting(operator):
            mine = Order.objects.filter(note="before").latest("pk")
            Order.objects.filter(pk=mine.pk).update(note="mine")
        carry_out(outcome, operator, approver)
        with acting(operator):
            return Order.objects.get(pk=mine.pk).note

    assert kept() == "mine"
    real = EFFECTS[effect]

    def careless(*chunk: Any) -> str:
        return real.chunk_sql(*chunk).replace(" AND o.xmin = r.token", "")

    monkeypatch.setitem(EFFECTS, effect, replace(real, chunk_sql=careless))
    assert kept() == "after"
