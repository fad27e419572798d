"""Loads a scale: per tenant and table one `INSERT … SELECT` of the rows that are missing.

Runs with the owner's login. Capture stays on, so every row has its first version in history. Each batch
is a transaction of its own; a load that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from access.models import Tenant
from shop.demo.scales import TENANTS, Scale, base

SQL = Path(__file__).resolve().parent / "sql"
BATCH = 250_000
# Ids 1 to 100 million are demo rows, five tenants interleaved; what people add comes after.
LAST_DEMO_ID = 100_000_000
STEP = len(TENANTS)
TABLES = ("shop_customer", "shop_order", "shop_orderitem", "shop_usertag", "shop_behaviourlog")
ITEMS_PER_ORDER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One batch: ordinals `low` to `high` of one tenant's table."""

    table: str
    tenant: int
    low: int
    high: int


def is_empty() -> bool:
    """Whether no shop table holds a row, of any tenant."""
    with transaction.atomic(), connection.cursor() as cursor:
        _see_all_tenants(cursor)
        return not any(_any_row(cursor, table) for table in TABLES)


def holds_other_rows() -> bool:
    """Whether there are rows, but not the demo's first one."""
    with transaction.atomic(), connection.cursor() as cursor:
        _see_all_tenants(cursor)
        cursor.execute(
            "SELECT count(*) FROM shop_customer WHERE tenant_id = 1 AND id = 1 AND email = 'c1@northwind.example'"
        )
        return not cursor.fetchone()[0] and any(_any_row(cursor, table) for table in TABLES)


def load(scale: Scale, *, say: Callable[[str], None]) -> int:
    """Add what is missing to `scale`; returns the rows added. A second call adds nothing."""
    fresh = is_empty()
    _add_tenants()
    added = 0
    for table in TABLES:
        before = added
        for piece in _pieces(scale, table):
            added += _insert(piece, reason=f"Demo data, scale {scale.name}")
        if added > before:
            say(f"{table}: {added - before:,} rows")
    if fresh:
        _edit()
    _keep_ids_apart()
    if added:
        _analyze()
    return added


def _add_tenants() -> None:
    for number, name, slug in TENANTS:
        Tenant.objects.get_or_create(id=number, defaults={"name": name, "slug": slug})
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence('access_tenant', 'id'), (SELECT max(id) FROM access_tenant))"
        )


def _pieces(scale: Scale, table: str) -> Iterator[Piece]:
    for tenant, _, _ in TENANTS:
        volume = scale.volume(tenant)
        wanted = {
            "shop_customer": volume.customers,
            "shop_order": volume.orders,
            "shop_orderitem": volume.orders,
            "shop_usertag": volume.tags,
            "shop_behaviourlog": volume.logs,
        }[table]
        low = _present(table, tenant) + 1
        while low <= wanted:
            high = min(wanted, low + BATCH - 1)
            yield Piece(table=table, tenant=tenant, low=low, high=high)
            low = high + 1


def _present(table: str, tenant: int) -> int:
    """The highest ordinal that is there already; of items, the order it belongs to."""
    with transaction.atomic(), connection.cursor() as cursor:
        _see_all_tenants(cursor)
        column = "order_id" if table == "shop_orderitem" else "id"
        cursor.execute(
            f"SELECT coalesce(max({column}), 0) FROM {table} WHERE tenant_id = %s AND {column} <= %s",
            [tenant, LAST_DEMO_ID],
        )
        highest: int = cursor.fetchone()[0]
        return 0 if not highest else (highest - tenant) // STEP + 1


def _insert(piece: Piece, *, reason: str) -> int:
    statement = (SQL / f"{piece.table.removeprefix('shop_')}.sql").read_text()
    parameters: dict[str, Any] = {
        "tenant": piece.tenant,
        "slug": TENANTS[piece.tenant - 1][2],
        "step": STEP,
        "low": piece.low,
        "high": piece.high,
        "base": base(piece.tenant),
        "per_order": ITEMS_PER_ORDER,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        _see_all_tenants(cursor)
        _sign(cursor, "demo data", reason)
        cursor.execute(statement, parameters)
        inserted: int = cursor.rowcount
        return inserted


def _edit() -> None:
    """A few later edits, so that histories have something to compare."""
    for name, reason, statement in EDITS:
        with transaction.atomic(), connection.cursor() as cursor:
            _see_all_tenants(cursor)
            _sign(cursor, name, reason)
            cursor.execute(statement)


EDITS = (
    (
        "carrier import",
        "Carrier confirmed the parcels",
        "UPDATE shop_order SET state = 'shipped', updated_at = timestamptz '2026-02-03 04:05:06Z' "
        "WHERE tenant_id = 1 AND state = 'paid' AND id <= 2000",
    ),
    (
        "credit review",
        "Yearly credit review",
        "UPDATE shop_customer SET credit_limit = credit_limit / 2, plan = 'basic', notes = notes || ' Reviewed.', "
        "updated_at = timestamptz '2026-03-04 05:06:07Z' "
        "WHERE tenant_id = 1 AND credit_limit BETWEEN 1 AND 1000000 AND id <= 1500",
    ),
)


def _keep_ids_apart() -> None:
    with connection.cursor() as cursor:
        for table in TABLES:
            sequence = f"pg_get_serial_sequence('{table}', 'id')"
            cursor.execute(
                f"SELECT setval({sequence}, greatest(%s, pg_sequence_last_value({sequence}::regclass)))", [LAST_DEMO_ID]
            )


def _analyze() -> None:
    """Statistics, and the visibility map: the first large change should not pay for the load."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"VACUUM ANALYZE {table}")
            cursor.execute(f"ANALYZE {table.replace('shop_', 'shop_historical')}")


def _see_all_tenants(cursor: Any) -> None:
    cursor.execute(
        "SELECT set_config('custody.all_tenants', 'on', true), set_config('custody.mass_write', 'demo data', true)"
    )


def _sign(cursor: Any, name: str, reason: str) -> None:
    """Who writes and why, for the record; what any program with the owner's login may say of itself."""
    said = json.dumps({"name": name, "channel": "sql", "reason": reason})
    cursor.execute("SELECT set_config('custody.context', %s, true)", [said])


def _any_row(cursor: Any, table: str) -> bool:
    cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
    return bool(cursor.fetchone()[0])
