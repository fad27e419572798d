"""Routes of the API, one per method. Governed is a method whose every way passes `access.enforcement.enforce` with an
action of the policy before it answers, as `ApiView.enforce` does; for a method that writes, leave to look (`….browse`)
is not enough. Open is what says `declared_open` on the method or in
its class. HEAD answers as GET does, OPTIONS says only what the schema says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from access.openness import reason_of
from console.coverage import doors
from console.coverage.addresses import Address, addresses
from console.coverage.findings import Finding, governed, opened, ungoverned

METHODS = ("get", "post", "put", "patch", "delete")


def findings(found: Iterable[Address] | None = None) -> Iterator[Finding]:
    """One per route and method."""
    for address in addresses() if found is None else found:
        kind: Any = address.view_class
        if address.is_api:
            for method in METHODS:
                if hasattr(kind, method) and method in kind.http_method_names:
                    yield _finding(f"{method.upper()} {address.route}", kind, method)


def _finding(name: str, kind: type, method: str) -> Finding:
    if reason := reason_of(getattr(kind, method), kind):
        return opened(name, reason)
    actions = doors.enforced_by(kind, method)
    return governed(name, ", ".join(actions)) if actions else ungoverned(name, "asks the policy for no action")
