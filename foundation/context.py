"""The context of the work in hand: who, for which tenant, from where, why, under which change.

It lives in a ContextVar and reaches PostgreSQL once per transaction (`foundation.postgres`), where
capture triggers and row level security read it. Nothing is session level, so a transaction pooler is safe.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from foundation.actor import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything the record wants to know about the writer. `session` is the hash of the session or token in use."""

    actor: Actor
    tenant_id: int | None = None
    channel: str = "shell"
    trace_id: str | None = None
    request_id: str | None = None
    ip: str | None = None
    change_id: int | None = None
    action: str | None = None
    reason: str | None = None
    decision_id: str | None = None
    session: str | None = None

    def as_json(self) -> str:
        """The value of `custody.context`; keys without a value are left out."""
        pairs: dict[str, Any] = {
            "user": self.actor.user_id,
            "person": self.actor.person_id,
            "name": self.actor.name,
            "tenant": self.tenant_id,
            "channel": self.channel,
            "trace": self.trace_id,
            "request": self.request_id,
            "ip": self.ip,
            "change": self.change_id,
            "action": self.action,
            "reason": self.reason,
            "decision": self.decision_id,
            "session": self.session,
        }
        return json.dumps({key: value for key, value in pairs.items() if value is not None})


_current: ContextVar[Context | None] = ContextVar("custody_context", default=None)


def current() -> Context | None:
    """The context in force, or None outside of any `acting` block."""
    return _current.get()


@contextmanager
def acting(
    actor: Actor,
    *,
    tenant_id: int | None = None,
    channel: str = "shell",
    trace_id: str | None = None,
    request_id: str | None = None,
    ip: str | None = None,
    change_id: int | None = None,
    action: str | None = None,
    reason: str | None = None,
    decision_id: str | None = None,
    session: str | None = None,
) -> Iterator[Context]:
    """Do the block's work as `actor`, for `tenant_id` (default: the actor's own tenant)."""
    context = Context(
        actor=actor,
        tenant_id=actor.tenant_id if tenant_id is None else tenant_id,
        channel=channel,
        trace_id=trace_id,
        request_id=request_id,
        ip=ip,
        change_id=change_id,
        action=action,
        reason=reason,
        decision_id=decision_id,
        session=session,
    )
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


@contextmanager
def inside(**overrides: Any) -> Iterator[Context]:
    """The same context with some fields replaced, for a step inside larger work.

    Raises LookupError outside of `acting`: a step needs somebody who does it.
    """
    context = _current.get()
    if context is None:
        raise LookupError("inside() needs an acting() block around it")
    token = _current.set(replace(context, **overrides))
    try:
        yield _current.get() or context
    finally:
        _current.reset(token)
