"""Transactions with more than the default promise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections, transaction

DURABLE = "SET LOCAL synchronous_commit = on"
SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"


@contextmanager
def consistent(using: str = "default") -> Iterator[bool]:
    """One transaction that sees one state. Yields whether it is REPEATABLE READ.

    Inside a transaction that is already open the isolation level cannot rise any more; the block then
    joins it, and unless that one is REPEATABLE READ the caller has to lock what it reads.
    """
    connection = connections[using]
    if connection.in_atomic_block:
        with transaction.atomic(using=using), connection.cursor() as cursor:
            cursor.execute("SHOW transaction_isolation")
            yield cursor.fetchone()[0] in ("repeatable read", "serializable")
        return
    with transaction.atomic(using=using):
        # Past the context wrapper on purpose: the level must be set before the first query.
        with connection.wrap_database_errors:
            connection.connection.execute(SNAPSHOT)
            connection.connection.execute(DURABLE)
        yield True


@contextmanager
def durable(using: str = "default") -> Iterator[None]:
    """A transaction whose commit is on disk before the caller hears of it, whatever the server's default."""
    with transaction.atomic(using=using):
        with connections[using].cursor() as cursor:
            cursor.execute(DURABLE)
        yield
