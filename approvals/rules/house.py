"""The shipped rules and what they are read with: kept by the owner in one row, written after every migrate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import connections, transaction

from access.policy import ROLES
from approvals.errors import BadRule, RulesConflict
from approvals.rules import book
from audit import registry


def entities() -> dict[str, int]:
    """Governed tables and their thresholds."""
    return {model._meta.label_lower: registry.threshold(model) for model in registry.entities()}


def shipped() -> tuple[book.Rule, ...]:
    """`CUSTODY_RULES` as rules, the most special first. Raises BadRule, RulesConflict."""
    known = entities()
    return book.read(settings.CUSTODY_RULES, entities=known, groups=ROLES, threshold=known.__getitem__)


def check(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """The shipped rules can be used."""
    try:
        shipped()
    except (BadRule, RulesConflict) as error:
        return [Error(f"CUSTODY_RULES: {error}", hint="See docs/rules.md.", id="custody.E130")]
    return []


def store_after_migrate(sender: Any, using: str, **kwargs: Any) -> None:
    """Bring the row in step with the settings. Whether roles are written directly stays as the owner set it."""
    if sender.name != "approvals":
        return
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.approvals_house') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return
        store(cursor)


def store(cursor: Any) -> None:
    """Write the row, as the owner."""
    cursor.execute(
        "INSERT INTO public.approvals_house (id, environment, rules, sensitive) VALUES (1, %s, %s::jsonb, %s::jsonb) "
        "ON CONFLICT (id) DO UPDATE SET environment = excluded.environment, rules = excluded.rules, "
        "sensitive = excluded.sensitive",
        [settings.CUSTODY_ENV, json.dumps([rule.as_json() for rule in shipped()]), json.dumps(_sensitive())],
    )


def stored(app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """The row is in step with the settings: another environment or another shipped rule needs a migrate."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT to_regclass('public.approvals_house') IS NOT NULL")
            if not cursor.fetchone()[0]:
                continue
            cursor.execute(
                "SELECT EXISTS (SELECT FROM public.approvals_house WHERE environment = %s AND rules = %s::jsonb)",
                [settings.CUSTODY_ENV, json.dumps([rule.as_json() for rule in shipped()])],
            )
            if not cursor.fetchone()[0]:
                found.append(
                    Error("the database has other shipped rules than the settings; run migrate", id="custody.E131")
                )
    return found


def _sensitive() -> list[str]:
    return sorted(model._meta.label_lower for model in registry.entities() if model.governance.sensitive)
