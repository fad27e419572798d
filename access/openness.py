"""What is meant to stand outside of the policy says so, with its reason, where it is written.

`manage.py coverage` reads the reason; nothing else does, and it opens nothing.
"""

from __future__ import annotations

from typing import Any, TypeVar

Declared = TypeVar("Declared")
ATTRIBUTE = "declared_open"


def declared_open(reason: str) -> Any:
    """Mark a view, an API method, an admin action, a task or a class as open on purpose; `reason` is one sentence."""
    if not reason.strip():
        raise ValueError("declared_open() needs a reason")

    def mark(target: Declared) -> Declared:
        setattr(target, ATTRIBUTE, reason.strip())
        return target

    return mark


def reason_of(*targets: Any) -> str:
    """The reason of the first that gives one, "" without. A class answers for itself, not for its subclasses."""
    for target in targets:
        own = target.__dict__ if isinstance(target, type) else {ATTRIBUTE: getattr(target, ATTRIBUTE, "")}
        if reason := own.get(ATTRIBUTE, ""):
            return str(reason)
    return ""
