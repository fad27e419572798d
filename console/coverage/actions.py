"""Admin actions: what a list offers for marked rows. Governed is an action that one of these holds for:

- every way through its code passes `access.enforcement.enforce`, as `changes.drafts.save` and `approvals.gate` do:
  it asks for a change instead of making one;
- it is Django's own “delete selected”, and its model's pages follow the policy: they offer it to nobody, and the
  queryset of an entity goes through the gate.

Calling `queryset.delete()` or `update()` by itself is not governed. Open is what says `declared_open`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.admin import sites
from django.contrib.admin.actions import delete_selected

from access.openness import reason_of
from console.coverage import doors, model_pages
from console.coverage.findings import Finding, governed, opened, ungoverned


def findings(pages: Iterable[Any] | None = None) -> Iterator[Finding]:
    """One per model and action, of every admin site."""
    every: list[Any] = [one for site in sites.all_sites for one in site._registry.values()]
    for one in every if pages is None else pages:
        for function, name, _ in one._get_base_actions():
            yield _finding(f"{one.opts.label_lower}: {name}", one, function)


def _finding(name: str, pages: Any, action: Any) -> Finding:
    if action is delete_selected:
        fault = model_pages.fault(pages)
        return ungoverned(name, f"deletes at once; {fault}") if fault else governed(name, "offered to nobody")
    if reason := reason_of(action):
        return opened(name, reason)
    # Django hands on a method of the pages as a plain function.
    bound = [doors.Instance(type(pages))] if getattr(type(pages), action.__name__, None) is action else []
    actions = doors.enforced(action, *bound, writes=True)
    return governed(name, ", ".join(actions)) if actions else ungoverned(name, "does not go through the gate")
