"""django-prometheus's PostgreSQL backend, plus the context once per transaction.

Before the first statement of a transaction `custody.context` and `custody.tenant` are set with
`set_config(..., true)`, again only when the context changed or a savepoint rollback undid it. In
autocommit the statement gets a transaction of its own, because a local setting would be gone before
the statement ran. Without a context nothing is set, and row level security then shows no rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django_prometheus.db.backends.postgresql import base

from foundation import context as work

SET_CONTEXT = "SELECT set_config('custody.context', %s, true), set_config('custody.tenant', %s, true)"


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
        self._send(context)
        return execute(sql, params, many, details)

    def _send(self, context: work.Context | None) -> None:
        """Set both settings for the rest of the transaction; an ended context sets them empty."""
        values = ("", "")
        if context is not None:
            values = (context.as_json(), "" if context.tenant_id is None else str(context.tenant_id))
        with self.wrap_database_errors:
            self.connection.execute(SET_CONTEXT, values)
        self._sent = context

    def _forget(self) -> None:
        self._sent = None

    def _commit(self) -> None:
        self._forget()
        super()._commit()

    def _rollback(self) -> None:
        self._forget()
        super()._rollback()

    def _close(self) -> None:
        self._forget()
        super()._close()

    def _set_autocommit(self, autocommit: bool) -> None:
        self._forget()
        super()._set_autocommit(autocommit)

    def _savepoint_rollback(self, sid: str) -> None:
        # set_config inside the savepoint is undone with it; what was set before it comes back, and
        # this process cannot tell which, so the next statement sends again.
        super()._savepoint_rollback(sid)
        self._sent = _UNKNOWN


_UNKNOWN: Any = object()
