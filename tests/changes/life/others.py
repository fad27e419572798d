"""What other people and programs do to the rows meanwhile, each statement with the rows it wrote."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import DatabaseError, connection, transaction

from tests.changes.life.eyes import Eyes
from tests.changes.life.tables import Key, Row

# A few values, so that they collide; some are equal without being the same.
VALUES: dict[str, dict[str, tuple[str, ...]]] = {
    "shop_customer": {
        "email": ("a@x.example", "b@x.example", "c@x.example", "d@x.example"),
        "score": ("'0'", "'-0'", "'1.5'"),
        "preferences": ("'{\"n\": 1.0}'", "'{\"n\": 1.00}'", "'{}'"),
        "notes": ("", "x"),
    },
    "shop_order": {"number": ("N1", "N2", "N3", "N4"), "note": ("", "x", "y"), "total": ("1", "1.00", "2")},
    "shop_orderitem": {"quantity": ("1", "2"), "price": ("1.0", "1.00", "3")},
    "shop_usertag": {"weight": ("'0'", "'-0'", "'1'"), "tag": ("t", "u")},
    "shop_behaviourlog": {"action": ("view", "buy"), "payload": ("'{\"n\": 1.0}'", "'{\"n\": 1.00}'")},
}
NEW: dict[str, dict[str, str]] = {
    "shop_customer": {
        "name": "'C'",
        "phone": "''",
        "plan": "'trial'",
        "labels": "'{a}'",
        "score": "'-0'",
        "notes": "''",
        "preferences": "'{\"n\": 1.00}'",
        "email": "'a@x.example'",
    },
    "shop_order": {
        "number": "'N1'",
        "placed_at": "'2024-01-02'",
        "state": "'open'",
        "total": "1",
        "currency": "'EUR'",
        "note": "''",
    },
    "shop_orderitem": {"product": "'P'", "quantity": "1", "price": "1"},
    "shop_usertag": {"tag": "'t'", "weight": "'-0'", "source": "''"},
    "shop_behaviourlog": {"happened_at": "'2024-01-02'", "action": "'view'", "payload": "'{\"n\": 1.0}'"},
}

Wrote = list[tuple[Key, Row | None]]


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL of one statement on one table, without RETURNING."""

    table: str
    sql: str
    removes: bool = False


def literal(column: str, value: str) -> str:
    """A value of the list above as SQL."""
    return value if value.startswith("'") or column in ("total", "quantity", "price") else f"'{value}'"


def update(table: str, ids: list[int], sets: str) -> Statement:
    return Statement(table, f"UPDATE {table} SET {sets} WHERE id = ANY('{{{', '.join(map(str, ids))}}}')")


def delete(table: str, ids: list[int]) -> Statement:
    return Statement(table, f"DELETE FROM {table} WHERE id = ANY('{{{', '.join(map(str, ids))}}}')", removes=True)


def insert(table: str, tenant: int, rows: list[dict[str, str]]) -> Statement:
    """Rows with made-up columns; each may say another value for some of them."""
    full = [{"tenant_id": str(tenant)} | NEW[table] | row for row in rows]
    columns = list(full[0])
    values = ", ".join("(" + ", ".join(row[c] for c in columns) + ")" for row in full)
    identity = " OVERRIDING SYSTEM VALUE" if "id" in columns else ""
    return Statement(table, f"INSERT INTO {table} ({', '.join(columns)}){identity} VALUES {values}")


@contextmanager
def _owners(owner: psycopg.Connection) -> Any:
    with owner.transaction(), owner.cursor() as cursor:
        cursor.execute("SET LOCAL custody.all_tenants = 'on'")
        cursor.execute("SET LOCAL custody.mass_write = 'a repair'")
        yield cursor


@contextmanager
def _applications() -> Any:
    with transaction.atomic(), connection.cursor() as cursor:
        yield cursor


def carry_out(eyes: Eyes, statements: list[Statement], owner: psycopg.Connection | None) -> list[Wrote]:
    """Run them in one transaction, as the owner or as the application; all of them are refused together."""
    wrote: list[Wrote] = []
    try:
        with _owners(owner) if owner is not None else _applications() as cursor:
            for statement in statements:
                cursor.execute(f"{statement.sql} RETURNING id, {eyes.image(statement.table)}")
                wrote.append(_written(eyes, statement, cursor.fetchall()))
    except (DatabaseError, psycopg.DatabaseError):
        return []
    return wrote


def _written(eyes: Eyes, statement: Statement, found: list[Any]) -> Wrote:
    return [
        ((statement.table, row), None if statement.removes else eyes.row(statement.table, values))
        for row, values in found
    ]
