"""Models. Governed is a model whose table one of these holds for:

- an entity: `audit.entity.SoftDeleted` with its declaration, and a capture trigger that writes history;
- history: the historical model of an entity, which the application only reads;
- kept: `audit.manifest` leaves the application no DELETE (the model names its `app_privileges`).

Open is what says `declared_open` in the model's own class, and tables of libraries in `exempt.TABLES`. Proxies share
a table and are not asked; tables of relations that Django makes by itself are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import apps

from access.openness import reason_of
from audit import manifest, registry
from audit.constraints import Capture
from audit.entity import SoftDeleted
from audit.names import split_table
from console.coverage.exempt import TABLES
from console.coverage.findings import Finding, governed, opened, ungoverned


def findings(models: Iterable[Any] | None = None) -> Iterator[Finding]:
    """One per model with a table of its own; all installed ones unless given."""
    granted = manifest.grants()
    histories = {registry.history_of(entity) for entity in registry.entities() if registry.has_history(entity)}
    for model in apps.get_models(include_auto_created=True) if models is None else models:
        if not model._meta.proxy:
            yield _finding(model, granted.get(split_table(model._meta.db_table)), model in histories)


def _finding(model: Any, privileges: frozenset[str] | None, is_history: bool) -> Finding:
    name = model._meta.label_lower
    reason = reason_of(model) or _exempt(model)
    if issubclass(model, SoftDeleted):
        missing = _missing(model)
        return ungoverned(name, missing) if missing else governed(name, "entity, captured")
    if is_history:
        return governed(name, "history, only read")
    if privileges is not None and "DELETE" not in privileges:
        return governed(name, f"kept: {', '.join(sorted(privileges))}")
    if reason:
        return opened(name, reason)
    return ungoverned(name, "no entity: rows can be deleted, and nobody records it")


def _missing(entity: Any) -> str:
    if not hasattr(entity, "governance"):
        return "no governance declaration"
    if not registry.has_history(entity):
        return "no history"
    # An adopted table is not Django's: its own migration captures it, and the catalog checks compare it.
    is_captured = not entity._meta.managed or any(isinstance(one, Capture) for one in entity._meta.constraints)
    return "" if is_captured else "no capture trigger declared"


def _exempt(model: Any) -> str:
    """Only a library's own models: a project's model with the same app label is not meant."""
    is_library = model.__module__.startswith(("django.", "rest_framework.", "axes.", "allauth."))
    return TABLES.get(model._meta.app_label, "") if is_library else ""
