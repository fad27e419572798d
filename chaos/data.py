"""Rows to work on, in batches that one selection names; made by plain SQL as the application's login."""

from __future__ import annotations

import psycopg

from chaos.stage import TENANT

TAG_BATCHES, TAG_ROWS = 16, 1_500
ORDER_BATCHES, ORDER_ROWS = 10, 250
LOG_BATCHES, LOG_ROWS = 3, 12_000
BIG_ROWS = 51_000  # enough for the engine to cut one part into two lanes

CONTEXT = "SELECT set_config('custody.context', %s, true), set_config('custody.tenant', %s, true)"
LOADER = '{"user": 90, "person": 90, "name": "Loader", "tenant": 1, "channel": "chaos"}'

LOAD = (
    f"INSERT INTO access_tenant (id, name, slug) VALUES ({TENANT}, 'Chaos', 'chaos')",
    f"INSERT INTO shop_customer (tenant_id, name, email, phone, plan, preferences, labels, notes) "
    f"SELECT {TENANT}, 'C ' || g, g || '@chaos.example', '', 'pro', '{{}}', '{{}}', '' FROM generate_series(1, 200) g",
    f"INSERT INTO shop_usertag (tenant_id, customer_id, tag, weight, source) "
    f"SELECT {TENANT}, (SELECT min(id) FROM shop_customer) + g % 200, 'tag ' || g, '-0'::float8 + g % 3, 't' || g % {TAG_BATCHES} "
    f"FROM generate_series(1, {TAG_BATCHES * TAG_ROWS}) g",
    f"INSERT INTO shop_usertag (tenant_id, customer_id, tag, weight, source) "
    f"SELECT {TENANT}, (SELECT min(id) FROM shop_customer) + g % 200, 'big ' || g, 'NaN', 'big' FROM generate_series(1, {BIG_ROWS}) g",
    f"INSERT INTO shop_order (tenant_id, customer_id, number, placed_at, state, total, currency, note) "
    f"SELECT {TENANT}, (SELECT min(id) FROM shop_customer) + g % 200, 'o' || g % {ORDER_BATCHES} || '-' || g, "
    f"timestamptz '1969-07-20 20:17:40+00' + g * interval '1 hour', 'open', g / 7.0, 'EUR', '' "
    f"FROM generate_series(1, {ORDER_BATCHES * ORDER_ROWS}) g",
    f"INSERT INTO shop_orderitem (tenant_id, order_id, product, quantity, price) "
    f"SELECT {TENANT}, o.id, '产品 ' || k, k, 1.10 FROM shop_order o, generate_series(1, 3) k",
    f"INSERT INTO shop_behaviourlog (tenant_id, customer_id, happened_at, action, payload) "
    f"SELECT {TENANT}, NULL, now(), 'l' || g % {LOG_BATCHES}, '{{\"n\": 1.50}}' "
    f"FROM generate_series(1, {LOG_BATCHES * LOG_ROWS}) g",
)


# Logins of the people (`chaos.people`): one who asks and starts, and approvers. Roles are looked up, not believed.
PEOPLE = (
    "INSERT INTO access_person (id, name) SELECT n, 'P' || n FROM unnest(ARRAY[100, 200, 201, 202, 203, 204, 205]) n",
    "INSERT INTO auth_user (id, username, password, is_superuser, is_staff, is_active, first_name, last_name, email, "
    "date_joined) SELECT id, 'login' || id, '', false, true, true, '', '', '', now() FROM access_person WHERE id >= 100",
    f"INSERT INTO access_account (user_id, person_id, tenant_id) SELECT id, id, {TENANT} FROM access_person WHERE id >= 100",
    "INSERT INTO auth_user_groups (user_id, group_id) SELECT p.id, g.id FROM access_person p, auth_group g "
    "WHERE p.id >= 100 AND CASE p.id WHEN 100 THEN g.name IN ('operator', 'engineer') ELSE g.name = 'approver' END",
)


def load(app: str) -> None:
    """One transaction per statement, each with its context, as any program would write."""
    with psycopg.connect(app, autocommit=True) as connection:
        for statement in (LOAD[0], *PEOPLE, *LOAD[1:]):
            with connection.transaction():
                connection.execute(CONTEXT, [LOADER, str(TENANT)])
                connection.execute(statement)


def selections() -> list[tuple[str, dict[str, object]]]:
    """(entity, selection) of every batch."""
    tags = [("shop.usertag", _where("source", "eq", f"t{n}")) for n in range(TAG_BATCHES)]
    tags.append(("shop.usertag", _where("source", "eq", "big")))
    orders = [("shop.order", _where("number", "startswith", f"o{n}-")) for n in range(ORDER_BATCHES)]
    logs = [("shop.behaviourlog", _where("action", "eq", f"l{n}")) for n in range(LOG_BATCHES)]
    return [*tags, *orders, *logs]


def file_of(source: str, rows: int, ids: list[int], customer: int) -> bytes:
    """A CSV file: new tags of a batch, or, with ids, other names for rows that are there."""
    if ids:
        lines = [f"{one},said by a file" for one in ids]
        return ("id,tag\n" + "\n".join(lines) + "\n").encode()
    lines = [f"{customer + n % 200},from a file {n},{n % 7},{source}" for n in range(rows)]
    return ("customer,tag,weight,source\n" + "\n".join(lines) + "\n").encode()


def _where(field: str, op: str, value: str) -> dict[str, object]:
    return {"where": [{"field": field, "op": op, "value": value}]}
