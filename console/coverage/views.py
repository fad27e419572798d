"""Views: every URL pattern that is not the API's. Governed is a view that one of these holds for:

- every way through its code passes `access.enforcement.enforce` before it answers, itself or in what it calls (a page
  through `console.pages.guards.require`, a step through the verb it takes); a class-based view in each of its methods;
  for a view that takes no GET, leave to look (`….browse`) is not enough;
- it is a page of a model that follows the policy (`model_pages`).

A login alone governs nothing: the site's own guard asks for one, and the policy says what it opens. Open is what says
`declared_open` on the view, and views of Django in `exempt.VIEWS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from access.openness import reason_of
from console.coverage import doors, model_pages
from console.coverage.addresses import Address, addresses
from console.coverage.exempt import VIEWS
from console.coverage.findings import Finding, governed, opened, ungoverned

METHODS = ("get", "post", "put", "patch", "delete")
MISSING = "a way through it asks the policy for nothing: call console.pages.guards.require first, or declare it open"


def findings(found: Iterable[Address] | None = None) -> Iterator[Finding]:
    """One per URL pattern outside of the API."""
    for address in addresses() if found is None else found:
        if not address.is_api:
            yield _finding(address)


def _finding(address: Address) -> Finding:
    reason = reason_of(address.view, *([address.view_class] if address.view_class else []))
    if reason:
        return opened(address.route, reason)
    if address.pages is not None:
        fault = model_pages.fault(address.pages)
        return ungoverned(address.route, fault) if fault else governed(address.route, "model pages of the policy")
    if exempt := VIEWS.get(address.name):
        return opened(address.route, exempt)
    actions = _actions(address)
    return governed(address.route, ", ".join(actions)) if actions else ungoverned(address.route, MISSING)


def _actions(address: Address) -> tuple[str, ...] | None:
    kind: Any = address.view_class
    if kind is None:
        return doors.enforced(address.view, writes=address.only_writes)
    methods = [method for method in METHODS if hasattr(kind, method) and method in kind.http_method_names]
    found = [doors.enforced_by(kind, method) for method in methods]
    return tuple(sorted({action for actions in found for action in actions or ()})) if all(found) else None
