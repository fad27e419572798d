"""The accident of the owner: a statement typed in a hurry is refused; said on purpose it passes, and the event says why."""

from __future__ import annotations

import psycopg
import pytest

from tests.audit.guard.conftest import ORDERS, Shop
from tests.servers import manage

REFUSED = psycopg.errors.InsufficientPrivilege
ALL = "UPDATE shop_order SET note = 'x'"


@pytest.mark.parametrize("statement", [ALL, "DELETE FROM shop_order", "TRUNCATE shop_order, shop_orderitem"])
def test_a_mass_in_a_hurry_is_refused_and_says_what_to_say(fresh_shop: Shop, statement: str) -> None:
    with fresh_shop.login("owner") as owner:
        with pytest.raises(REFUSED, match=f"{ORDERS} rows of public.shop_order") as refused:
            owner.execute(statement)
        assert "SET custody.mass_write = 'why'" in (refused.value.diag.message_hint or "")
        assert owner.execute("SELECT count(*) FROM shop_order WHERE note <> 'x'").fetchone() == (ORDERS,)


@pytest.mark.parametrize("statement", [ALL, "DELETE FROM shop_order", "TRUNCATE shop_order, shop_orderitem"])
def test_said_on_purpose_it_passes_and_the_event_says_why(fresh_shop: Shop, statement: str) -> None:
    with fresh_shop.login("owner") as owner:
        owner.execute("SET custody.mass_write = 'the ledger is being rebuilt'")
        owner.execute(statement)
    assert fresh_shop.events()[-1] == (
        "custody_owner",
        ORDERS,
        {"mass_write": "the ledger is being rebuilt"},
    )


def test_what_was_said_for_one_transaction_ends_with_it(fresh_shop: Shop) -> None:
    with fresh_shop.login("owner") as owner:
        with owner.transaction():
            owner.execute("SET LOCAL custody.mass_write = 'once'")
            assert owner.execute(ALL).rowcount == ORDERS
        with pytest.raises(REFUSED):
            owner.execute(ALL)


def test_an_empty_word_is_none(fresh_shop: Shop) -> None:
    with fresh_shop.login("owner") as owner:
        owner.execute("SET custody.mass_write = ''")
        with pytest.raises(REFUSED):
            owner.execute(ALL)


def test_a_superuser_is_stopped_like_the_owner(fresh_shop: Shop) -> None:
    with fresh_shop.database.admin() as admin:
        with pytest.raises(REFUSED, match=r"SET custody\.mass_write"):
            admin.execute(ALL)
        admin.execute("SET session_replication_role = replica")
        with pytest.raises(REFUSED):
            admin.execute(ALL)


def test_a_few_rows_need_no_word(fresh_shop: Shop) -> None:
    with fresh_shop.login("owner") as owner:
        owner.execute("UPDATE shop_order SET note = 'x' WHERE id IN (SELECT id FROM shop_order LIMIT 10)")
    assert fresh_shop.events()[-1] == ("custody_owner", 10, None)


def test_a_table_that_lost_its_limits_lets_single_rows_pass_only(fresh_shop: Shop) -> None:
    with fresh_shop.login("owner") as owner:
        owner.execute("DELETE FROM audit_governedtable")
    with fresh_shop.transaction("app") as app:
        app.execute("UPDATE shop_order SET note = 'x' WHERE id = (SELECT min(id) FROM shop_order)")
        with pytest.raises(REFUSED, match="more than 1 need"), app.transaction():
            app.execute("UPDATE shop_order SET note = 'x' WHERE id IN (SELECT id FROM shop_order LIMIT 2)")


def test_migrate_is_the_owners_work_and_says_so(fresh_shop: Shop) -> None:
    environment = fresh_shop.database.env | {"CUSTODY_DB_LOGIN": "owner"}
    said = manage(
        environment,
        "shell",
        "-c",
        "from django.core.management import call_command; from django.db import connection;"
        "from django.db.models.signals import pre_migrate;"
        "seen = [];"
        "ask = lambda **_: seen.append(connection.cursor().execute('SELECT custody.mass_write()').fetchone()[0]);"
        "pre_migrate.connect(ask);"
        "call_command('migrate', verbosity=0);"
        "print(seen[0], connection.cursor().execute('SELECT custody.mass_write()').fetchone()[0])",
    )
    assert said.strip().splitlines()[-1] == "manage.py migrate None"
