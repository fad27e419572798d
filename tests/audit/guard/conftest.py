"""A shop to attack, and who attacks it: the application's login, and an ETL program with a login and rights of its own."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from console.embedded.environment import address
from foundation.actor import Actor
from foundation.context import acting
from tests.databases import database_of_its_own, default_database
from tests.personas import customer, orders

ORDERS = 240
LIMIT = 10
WINDOW = 200
ETL_TABLES = "shop_order, shop_orderitem, shop_customer, shop_usertag, shop_behaviourlog"


class Shop:
    """A committed shop of tenant 1 and the ways into it."""

    def __init__(self, database: Any, etl: str, password: str) -> None:
        self.database, self.etl, self._password = database, etl, password

    def login(self, name: str) -> psycopg.Connection[Any]:
        """A new autocommit connection: `app`, `etl` or `owner`, which sees all tenants."""
        if name == "etl":
            url = address(
                self.database.servers.admin_url, user=self.etl, password=self._password, database=self.database.name
            )
            return psycopg.connect(url, autocommit=True)
        connection: psycopg.Connection[Any] = getattr(self.database, name)()
        if name == "owner":
            connection.execute("SET custody.all_tenants = 'on'")
        return connection

    @contextmanager
    def transaction(self, name: str, *, person: int = 1, tenant: int = 1) -> Iterator[psycopg.Connection[Any]]:
        """One transaction of a login, for a tenant, as the application would begin it."""
        with self.login(name) as connection, connection.transaction():
            claim(connection, person=person, tenant=tenant)
            yield connection

    def events(self, **facts: Any) -> list[tuple[Any, ...]]:
        """(login, rows, facts) of the events on orders, oldest first."""
        with self.login("owner") as owner:
            return owner.execute(
                "SELECT db_role, affected_rows, facts FROM audit_event WHERE entity = 'shop.order' "
                "AND operation IN ('~', '-') ORDER BY id"
            ).fetchall()


def claim(connection: Any, *, person: int = 1, tenant: int = 1, **more: Any) -> None:
    """What the application says about its work, for the rest of the transaction."""
    context = json.dumps({"user": person, "person": person, "name": f"P{person}", "tenant": tenant, **more})
    connection.execute(
        "SELECT set_config('custody.context', %s, true), set_config('custody.tenant', %s, true)", [context, str(tenant)]
    )


@contextmanager
def opened(servers: Any, unblock: Callable[[], Any]) -> Iterator[Shop]:
    """A shop in a database of its own; the ETL login belongs to the cluster and goes with it."""
    etl, password = f"etl_{secrets.token_hex(6)}", secrets.token_urlsafe(16)
    with database_of_its_own(servers, "guard") as database:
        with unblock(), default_database(database.name), acting(Actor.service("stock", tenant_id=1)):
            orders(ORDERS, customer=customer())
        with database.admin() as admin:
            role, word = sql.Identifier(etl), sql.Literal(password)
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, word))
            admin.execute(sql.SQL("GRANT USAGE ON SCHEMA public, custody TO {}").format(role))
            admin.execute(
                sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON " + ETL_TABLES + " TO {}").format(role)
            )
        try:
            yield Shop(database, etl, password)
        finally:
            with database.admin() as admin:
                admin.execute(sql.SQL("DROP OWNED BY {}").format(role))
                admin.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.fixture(scope="module")
def shop(servers: Any, django_db_blocker: Any) -> Iterator[Shop]:
    """One shop for the attempts of a module that leave nothing behind."""
    with opened(servers, django_db_blocker.unblock) as found:
        yield found


@pytest.fixture
def fresh_shop(servers: Any, django_db_blocker: Any) -> Iterator[Shop]:
    """A shop of this test's own, for what commits."""
    with opened(servers, django_db_blocker.unblock) as found:
        yield found
