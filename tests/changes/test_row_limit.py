"""The number of a running change opens the row limit for what was approved: its rows, its operation, its columns."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction
from psycopg.errors import InsufficientPrivilege, LockNotAvailable

from changes import execution
from changes.models import Change
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.journey import agree, ask, keys_of, one_chunk, start, work
from tests.personas import customer, orders, tags

FROZEN = 12

Borrow = Callable[..., int]


@pytest.fixture
def running(db: None, at_work: Actor, approver: Actor, chunks_of_two: None) -> Change:
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


DELETED = "is_deleted = true, deleted_at = now(), status = 'archived', retention_policy = 'standard'"
LIVE = "(SELECT id FROM shop_order WHERE NOT is_deleted ORDER BY id LIMIT 10)"


def test_the_approved_write_itself_passes_whoever_sends_it(borrow: Borrow) -> None:
    """Stated in docs/security.md: the rows and columns are exactly those that were agreed to."""
    assert borrow(f"UPDATE shop_order SET {DELETED} WHERE id IN {LIVE}") == FROZEN - 2


@pytest.mark.parametrize("rows", [1, 2, 10])
@pytest.mark.parametrize("sets", ["note = 'x'", f"{DELETED}, note = 'x'", "total = total + 1"])
def test_other_columns_than_the_parts_are_refused(borrow: Borrow, rows: int, sets: str) -> None:
    with pytest.raises(ProgrammingError, match="did not freeze all"):
        borrow(f"UPDATE shop_order SET {sets} WHERE id IN {LIVE.replace('LIMIT 10', f'LIMIT {rows}')}")


def test_a_column_changed_in_one_row_of_many_is_found(borrow: Borrow) -> None:
    note = "note = CASE WHEN id = (SELECT max(id) FROM shop_order WHERE NOT is_deleted AND id IN {0}) THEN 'x' ELSE note END"
    with pytest.raises(ProgrammingError, match="did not freeze all"):
        borrow(f"UPDATE shop_order SET {DELETED}, {note.format(LIVE)} WHERE id IN {LIVE}")


def test_a_single_row_that_was_not_frozen_is_refused_too(borrow: Borrow) -> None:
    with pytest.raises(ProgrammingError, match="did not freeze all"):
        borrow(f"UPDATE shop_order SET {DELETED} WHERE id = (SELECT max(id) FROM shop_order)")


def test_a_forged_chunk_only_narrows_what_is_looked_at(borrow: Borrow) -> None:
    for forged in ("0:-1:9223372036854775807", "0:0:0", "7:0:9999999", "x", "0:1:2); SELECT (1"):
        claim = f"SELECT set_config('custody.chunk', '{forged}', true); "
        with pytest.raises(ProgrammingError, match="refused"):
            borrow(claim + f"UPDATE shop_order SET {DELETED} WHERE id IN (SELECT max(id) FROM shop_order)")


def test_rows_of_a_change_that_stopped_count_like_any_others(running: Change, borrow: Borrow, at_work: Actor) -> None:
    execution.cancel(running.pk, actor=at_work)
    with pytest.raises(ProgrammingError, match=r"11 rows of public\.shop_order at once"):
        borrow("UPDATE shop_order SET is_deleted = true WHERE id IN (SELECT id FROM shop_order LIMIT 11)")


def test_a_soft_delete_opens_no_removal(real_db: Any, operator: Actor, approver: Actor) -> None:
    """Not even to the owner's own login, whose context is heard: a removal is another operation."""
    with acting(operator):
        outcome = ask(operator, "shop.order", keys_of(orders(FROZEN)))
    agree(outcome.ticket, approver)
    start(outcome.change, operator)
    with real_db.owner() as owner, owner.transaction():
        owner.execute("GRANT DELETE ON shop_order TO custody_app")
    with (
        real_db.app() as app,
        pytest.raises(InsufficientPrivilege, match=f"{FROZEN} rows of public.shop_order refused"),
        app.transaction(),
    ):
        context = json.dumps({"tenant": 1, "change": outcome.change.pk})
        app.execute(
            "SELECT set_config('custody.context', %s, true), set_config('custody.tenant', '1', true)", [context]
        )
        app.execute("DELETE FROM shop_order")


def test_a_stop_waits_for_the_statement(real_db: Any, operator: Actor, approver: Actor) -> None:
    with acting(operator):
        outcome = ask(operator, "shop.order", keys_of(orders(FROZEN)))
    agree(outcome.ticket, approver)
    start(outcome.change, operator)
    with real_db.app() as app, app.transaction():
        context = json.dumps({"tenant": 1, "change": outcome.change.pk})
        app.execute(
            "SELECT set_config('custody.context', %s, true), set_config('custody.tenant', '1', true)", [context]
        )
        assert app.execute(f"UPDATE shop_order SET {DELETED}").rowcount == FROZEN
        with real_db.app() as stopper, pytest.raises(LockNotAvailable), stopper.transaction():
            stopper.execute("SELECT set_config('custody.tenant', '1', true), set_config('lock_timeout', '200ms', true)")
            stopper.execute("UPDATE changes_change SET state = 'cancelling' WHERE id = %s", [outcome.change.pk])


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
