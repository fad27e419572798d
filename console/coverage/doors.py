"""The doors that `paths` looks for: the policy's enforcement point, and a service's `acting` block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from access.enforcement import allowed, enforce
from access.policy import ALLOWED
from console.coverage.paths import Instance, Made, Reader
from foundation.actor import Actor
from foundation.context import acting

WRITING = ("post", "put", "patch", "delete")
LOOKING = ".browse"
ACTION = 1  # enforce(actor, action, resource)


def enforced(function: Any, *bound: Any, writes: bool = False) -> tuple[str, ...] | None:
    """The policy's actions that the ways through the function ask for; None when a way asks for none.

    Leave to look is none for what `writes`.
    """
    return Reader(_writing if writes else _policy, asks=allowed).passes(function, *bound)


def enforced_by(kind: type, method: str) -> tuple[str, ...] | None:
    """The same for a method of a class that answers requests."""
    return enforced(getattr(kind, method), Instance(kind), writes=method in WRITING)


def service(function: Any) -> tuple[str, ...] | None:
    """The names of the services a task acts as; None when it works as nobody."""
    return Reader(_acting, idle=True).passes(function)


def _policy(called: Any, arguments: Sequence[Any]) -> list[str] | None:
    if called is not enforce:
        return None
    given = arguments[ACTION] if len(arguments) > ACTION else ""
    actions = [one for one in (given if isinstance(given, tuple) else (given,)) if isinstance(one, str)]
    unknown = [one for one in actions if one not in ALLOWED]
    return [f"{one} (not in the policy: always refused)" if one in unknown else one for one in actions]


def _writing(called: Any, arguments: Sequence[Any]) -> list[str] | None:
    actions = _policy(called, arguments)
    return None if actions is None or any(action.endswith(LOOKING) for action in actions) else actions


def _acting(called: Any, arguments: Sequence[Any]) -> list[str] | None:
    if getattr(called, "__wrapped__", called) is not acting.__wrapped__ or not arguments:  # type: ignore[attr-defined]
        return None
    actor = arguments[0]
    if not isinstance(actor, Made) or getattr(actor.by, "__func__", None) is not Actor.service.__func__:  # type: ignore[attr-defined]
        return None
    name = actor.arguments[0] if actor.arguments else ""
    return [name] if isinstance(name, str) and name else None
