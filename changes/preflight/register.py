"""The checks: one small file each, one line here. A project's own come from the setting CUSTODY_PREFLIGHT."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from changes.preflight import (
    columns,
    conflicts,
    estimate,
    foreign_keys,
    keys,
    legal_hold,
    locks,
    materialized_views,
    permission,
    primary_key,
    protected,
    replicas,
    retention,
    size,
    threshold,
    undoable,
    whole_table,
)
from changes.preflight.base import Check

SHIPPED = (
    protected.CHECK,
    permission.CHECK,
    legal_hold.CHECK,
    threshold.CHECK,
    size.CHECK,
    whole_table.CHECK,
    keys.CHECK,
    conflicts.CHECK,
    columns.CHECK,
    retention.CHECK,
    primary_key.CHECK,
    foreign_keys.CHECK,
    materialized_views.CHECK,
    locks.CHECK,
    replicas.CHECK,
    undoable.CHECK,
    estimate.CHECK,
)
NAME_LIMIT = 32


def registered(own: Iterable[Check]) -> dict[str, Check]:
    """The shipped checks and a project's own, by name. Raises ImproperlyConfigured where a name is taken or too long."""
    found = {check.name: check for check in SHIPPED}
    for check in own:
        if check.name in found:
            raise ImproperlyConfigured(f"CUSTODY_PREFLIGHT: there is a check {check.name!r} already.")
        if not check.name or len(check.name) > NAME_LIMIT:
            raise ImproperlyConfigured(f"CUSTODY_PREFLIGHT: {check.name!r} needs 1 to {NAME_LIMIT} characters.")
        found[check.name] = check
    return found


CHECKS = registered(map(import_string, settings.CUSTODY_PREFLIGHT))
