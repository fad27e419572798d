"""django-prometheus's PostgreSQL backend, plus the context once per transaction.

Before the first statement of a transaction `custody.context` and `custody.tenant` are set with
`set_config(..., true)`, again only when the context changed or a savepoint rollback undid it. In
autocommit the statement gets a transaction of its own, because a local setting would be gone before
the statement ran. Without a context nothing is set, and row level security then shows no rows.

BEGIN, the context and the first statement travel in one message. psycopg would spend a round trip on
BEGIN alone, which costs more than the capture does. See docs/decisions/0007-one-message.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django_prometheus.db.backends.postgresql import base
from psycopg import ClientCursor
from psycopg.pq import Escaping, TransactionStatus

from foundation import context as work

SET_CONTEXT = "SELECT set_config('custody.context', %s, true), set_config('custody.tenant', %s, true)"
BEGIN = "BEGIN; SELECT set_config('custody.context', {}, true), set_config('custody.tenant', {}, true); "


class DatabaseWrapper(base.DatabaseWrapper):
    """The backend named by ENGINE = "foundation.postgres"."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sent: work.Context | None = None
        self.execute_wrappers.append(self._carry_context)

    def _carry_context(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, details: dict[str, Any]
    ) -> Any:
        context = work.current()
        if context is self._sent:
            return execute(sql, params, many, details)
        if not self.in_atomic_block and self.get_autocommit():
            if context is None:
                return execute(sql, params, many, details)
            with transaction.atomic(using=self.alias):
                return self._carry_context(execute, sql, params, many, details)
        if context is not None and not many and self._can_begin(sql, details["cursor"].cursor):
            return self._execute_first(execute, sql, params, details, context)
        self._send(context)
        return execute(sql, params, many, details)

    def _can_begin(self, sql: Any, cursor: Any) -> bool:
        """Whether psycopg would now send a plain BEGIN, and the statement can share a message with it."""
        connection = self.connection
        return (
            isinstance(sql, str)
            and isinstance(cursor, ClientCursor)
            and not connection.autocommit
            and connection.info.transaction_status == TransactionStatus.IDLE
            and (connection.isolation_level, connection.read_only, connection.deferrable) == (None, None, None)
        )

    def _execute_first(
        self, execute: Callable[..., Any], sql: str, params: Any, details: dict[str, Any], context: work.Context
    ) -> Any:
        """Begin, set the context and execute, in one message."""
        connection = self.connection
        escape = Escaping(connection.pgconn).escape_literal
        begin = BEGIN.format(*(escape(value.encode()).decode() for value in _values(context)))
        if params is not None:
            begin = begin.replace("%", "%%")
        # psycopg begins nothing by itself now; until the transaction ends it does what it is told.
        connection.autocommit = True
        try:
            result = execute(begin + sql, params, False, details)
            self._sent = context
        finally:
            self._begin_again_by_itself()
        cursor = details["cursor"].cursor
        cursor.nextset()
        cursor.nextset()
        return result

    def _begin_again_by_itself(self) -> None:
        """Outside of a transaction psycopg is back in the mode Django asked for, so nothing can slip past BEGIN."""
        connection = self.connection
        if connection is None or connection.closed or self.autocommit or not connection.autocommit:
            return
        if connection.info.transaction_status == TransactionStatus.IDLE:
            connection.autocommit = False

    def _send(self, context: work.Context | None) -> None:
        """Set both settings for the rest of the transaction; an ended context sets them empty."""
        with self.wrap_database_errors:
            self.connection.execute(SET_CONTEXT, ("", "") if context is None else _values(context))
        self._sent = context

    def _forget(self) -> None:
        self._sent = None

    def create_cursor(self, name: str | None = None) -> Any:
        cursor = super().create_cursor(name)
        if name and not self.autocommit:
            # Django asks psycopg, which is told to keep out of this transaction; a held cursor would be copied at commit.
            cursor._withhold = False
        return cursor

    def _commit(self) -> None:
        self._forget()
        try:
            super()._commit()
        finally:
            self._begin_again_by_itself()

    def _rollback(self) -> None:
        self._forget()
        try:
            super()._rollback()
        finally:
            self._begin_again_by_itself()

    def _close(self) -> None:
        self._forget()
        super()._close()

    def _set_autocommit(self, autocommit: bool) -> None:
        self._forget()
        super()._set_autocommit(autocommit)

    def _savepoint_rollback(self, sid: str) -> None:
        # set_config inside the savepoint is undone with it; what was set before it comes back, and
        # this process cannot tell which, so the next statement sends again. The rollback itself must come first:
        # in a transaction that has failed nothing else may be sent, also where the context has changed since.
        self._sent = work.current()
        super()._savepoint_rollback(sid)
        self._sent = _UNKNOWN


_UNKNOWN: Any = object()


def _values(context: work.Context) -> tuple[str, str]:
    return context.as_json(), "" if context.tenant_id is None else str(context.tenant_id)
