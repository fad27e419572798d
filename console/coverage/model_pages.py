"""Pages of models in the admin. They follow the policy when they are a GovernedAdmin or AdministratorOnly and no
subclass has put a rule of its own in the place of theirs: neither a permission nor a whole view.
"""

from __future__ import annotations

import inspect
from typing import Any

from django.contrib.admin import ModelAdmin

from console.admin.governed import GovernedAdmin
from console.admin.people import AdministratorOnly

OURS = (GovernedAdmin, AdministratorOnly)
PERMISSIONS = ("module", "view", "add", "change", "delete")
VIEWS = ("changelist_view", "add_view", "change_view", "changeform_view", "delete_view", "history_view")
KEPT = (*(f"has_{name}_permission" for name in PERMISSIONS), *VIEWS, "get_actions")


def fault(pages: ModelAdmin) -> str:
    """Why a model's pages do not follow the policy, "" when they do."""
    base = next((base for base in OURS if isinstance(pages, base)), None)
    if base is None:
        return f"{_name(type(pages))} asks Django's permissions, not the policy: use GovernedAdmin"
    for name in KEPT:
        for kind in type(pages).__mro__:
            if name in vars(kind) and not _is_kept(kind):
                return f"{_name(kind)} replaces {name}"
    return ""


def _is_kept(kind: type) -> bool:
    return kind.__module__.split(".")[:2] == ["console", "admin"] or kind.__module__.startswith("django.contrib.")


def _name(kind: Any) -> str:
    module = inspect.getmodule(kind)
    return f"{module.__name__ if module else kind.__module__}.{kind.__qualname__}"
