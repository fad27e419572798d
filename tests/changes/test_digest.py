"""The fingerprint covers everything that will happen: change one bit of it and it is another one."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection

from changes.digests import change_digest, rows_digest, schema_fingerprint
from changes.models import Change
from changes.states import Effect
from foundation.actor import Actor
from shop.models import Customer, Order
from tests.journey import ask, keys_of
from tests.personas import orders

pytestmark = pytest.mark.django_db


def parts() -> list[Any]:
    return [
        SimpleNamespace(number=0, entity=Order, effect=Effect.DELETE, columns=("is_deleted",), rows=5),
        SimpleNamespace(number=1, entity=Customer, effect=Effect.CLEAR, columns=("referred_by_id",), rows=2),
    ]


def change(**columns: Any) -> Change:
    named = {
        "tenant_id": 1,
        "operation": "delete",
        "entity": "shop.order",
        "title": "t",
        "reason": "r",
        "requester_person_id": 3,
    }
    return Change(**named | columns)


def test_the_same_change_has_the_same_fingerprint() -> None:
    assert change_digest(change(), parts(), "s") == change_digest(change(), parts(), "s")


@pytest.mark.parametrize(
    "columns",
    [
        {"tenant_id": 2},
        {"operation": "restore"},
        {"entity": "shop.customer"},
        {"title": "T"},
        {"reason": "r "},
        {"requester_person_id": 4},
        {"undo_of_id": 1},
    ],
)
def test_every_named_column_counts(columns: dict[str, Any]) -> None:
    assert change_digest(change(**columns), parts(), "s") != change_digest(change(), parts(), "s")


def _effect(some: list[Any]) -> None:
    some[0].effect = Effect.CLEAR


def _columns(some: list[Any]) -> None:
    some[1].columns = ("referred_by_id", "email")


def _rows(some: list[Any]) -> None:
    some[0].rows += 1


def _entity(some: list[Any]) -> None:
    some[0].entity = Customer


def _part_less(some: list[Any]) -> None:
    some.pop()


@pytest.mark.parametrize("alter", [_effect, _columns, _rows, _entity, _part_less])
def test_every_part_counts(alter: Callable[[list[Any]], None]) -> None:
    altered = parts()
    alter(altered)
    assert change_digest(change(), altered, "s") != change_digest(change(), parts(), "s")


def test_the_schema_counts() -> None:
    assert change_digest(change(), parts(), "s") != change_digest(change(), parts(), "t")


ROWS = """
INSERT INTO changes_frozenrow (tenant_id, change_id, part, position, token, before_id, after_id, key)
SELECT 1, {change}, g % 2, g * 3000, (g * 7)::text::xid, g, g + 1, NULL FROM generate_series(1, 20) g
"""


def frozen(change_id: int, alteration: str = "") -> str:
    """The digest over rows as `alteration` leaves them, while the change is a draft."""
    draft = change(state="draft", requester_name="x")
    draft.save()
    with connection.cursor() as cursor:
        cursor.execute(ROWS.format(change=draft.pk))
        if alteration:
            cursor.execute(alteration.format(where=f"change_id = {draft.pk} AND position = 30000"))
            assert cursor.rowcount == 1
    return rows_digest(draft)


@pytest.mark.parametrize(
    "alteration",
    [
        "UPDATE changes_frozenrow SET token = '8' WHERE {where}",
        "UPDATE changes_frozenrow SET position = 30001 WHERE {where}",
        "UPDATE changes_frozenrow SET before_id = 99 WHERE {where}",
        "UPDATE changes_frozenrow SET after_id = 99 WHERE {where}",
        "UPDATE changes_frozenrow SET key = '[\"30000\"]' WHERE {where}",
        "UPDATE changes_frozenrow SET part = 1 WHERE {where}",
        "DELETE FROM changes_frozenrow WHERE {where}",
    ],
)
def test_every_column_of_every_row_counts(at_work: Actor, alteration: str) -> None:
    assert frozen(1) == frozen(2)
    assert frozen(3, alteration) != frozen(4)


def test_a_stored_fingerprint_can_be_computed_again(at_work: Actor) -> None:
    made = ask(at_work, "shop.order", keys_of(orders(12))).change
    again = [
        SimpleNamespace(number=p.part, entity=Order, effect=Effect(p.effect), columns=tuple(p.columns), rows=p.rows)
        for p in made.parts.all()
    ]
    assert change_digest(made, again, made.schema_fingerprint) == made.digest


def test_the_schema_fingerprint_sees_names_types_and_order(owner: Any) -> None:
    def of(columns: str) -> str:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TEMP TABLE odd ({columns}) ON COMMIT DROP")
            found = schema_fingerprint(["odd"])
            cursor.execute("DROP TABLE odd")
        return found

    assert of("a int, b text") == of("a int, b text")
    assert len({of("a int, b text"), of("a bigint, b text"), of("a int, c text"), of("b text, a int")}) == 4
    assert of("a varchar(5)") != of("a varchar(6)")
