"""The number of a running change opens the row limit for the rows it froze, and for nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.db import ProgrammingError, connection, transaction

from changes.models import Change
from foundation.actor import Actor
from shop.models import Order
from tests.journey import agree, ask, keys_of, one_chunk, start, work
from tests.personas import customer, orders, tags

pytestmark = pytest.mark.django_db
FROZEN = 12

Borrow = Callable[..., int]


@pytest.fixture
def running(at_work: Actor, approver: Actor, chunks_of_two: None) -> Change:
    """Orders, more of them than the change froze; two of the frozen ones are gone already."""
    outcome = ask(at_work, "shop.order", keys_of(orders(FROZEN, customer=customer())))
    orders(FROZEN + 1)
    agree(outcome.ticket, approver)
    start(outcome.change, at_work)
    one_chunk(outcome.change)
    outcome.change.refresh_from_db()
    return outcome.change


@pytest.fixture
def borrow(running: Change) -> Borrow:
    """Run SQL of the application's login under the running change's number; return the rows touched."""

    def execute(statement: str, tenant: int = 1) -> int:
        with transaction.atomic(), connection.cursor() as cursor:
            context = json.dumps({"tenant": tenant, "change": running.pk})
            cursor.execute("SELECT 1")  # whatever the connection sends for this transaction has been sent
            cursor.execute("SELECT set_config('custody.context', %s, true)", [context])
            cursor.execute(statement)
            return cursor.rowcount

    return execute


def test_another_table_stays_closed(borrow: Borrow) -> None:
    tags(501)
    with pytest.raises(ProgrammingError, match=r"501 rows of public\.shop_usertag"):
        borrow("UPDATE shop_usertag SET source = 'x'")


def test_not_one_row_more_than_was_frozen(borrow: Borrow) -> None:
    with pytest.raises(ProgrammingError, match=r"13 rows of public\.shop_order"):
        borrow("UPDATE shop_order SET note = 'x' WHERE id IN (SELECT id FROM shop_order ORDER BY id DESC LIMIT 13)")
    assert not Order.objects.filter(note="x").exists()


def test_what_the_run_did_already_counts(borrow: Borrow) -> None:
    with pytest.raises(ProgrammingError, match=r"11 rows of public\.shop_order"):
        borrow("UPDATE shop_order SET note = 'x' WHERE id IN (SELECT id FROM shop_order WHERE NOT is_deleted LIMIT 11)")


def test_rows_that_were_not_frozen_are_refused_however_few(borrow: Borrow) -> None:
    with pytest.raises(ProgrammingError, match=r"rows of public\.shop_order refused: change \d+ did not freeze all"):
        borrow("UPDATE shop_order SET note = 'x' WHERE id IN (SELECT id FROM shop_order ORDER BY id DESC LIMIT 2)")
    with pytest.raises(ProgrammingError, match="did not freeze all"):
        borrow(
            "UPDATE shop_order SET note = 'x' WHERE id IN (SELECT min(id) FROM shop_order WHERE NOT is_deleted "
            "UNION SELECT max(id) FROM shop_order)"
        )
    assert not Order.objects.filter(note="x").exists()


def test_a_change_of_another_tenant_opens_nothing(borrow: Borrow) -> None:
    with pytest.raises(ProgrammingError, match="refused"):
        borrow("UPDATE shop_order SET note = 'x' WHERE id IN (SELECT id FROM shop_order LIMIT 11)", tenant=2)


def test_the_run_itself_goes_through_to_its_last_row(running: Change) -> None:
    done = work(running)
    assert (done.state, done.applied, done.skipped) == ("done", FROZEN, 0)
