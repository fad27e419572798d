"""Acts that are no statement on a governed table, as events: asked, cleared, started, finished."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

from changes.models import Change
from foundation import context


def note(change: Change, act: str, *, rows: int = 0, **facts: Any) -> None:
    """Append one event about the change, in the current transaction, under the current context."""
    work = context.current()
    overrides: dict[str, Any] = {"change_id": change.pk}
    if work is None:
        raise LookupError("note() needs an acting() block around it")
    with context.inside(**overrides), connection.cursor() as cursor:
        cursor.execute(
            "SELECT custody.append_event(%s, %s, %s, %s, %s::jsonb)",
            [act, change.entity, "changes_change", rows, json.dumps(facts, default=str)],
        )
        import_string(settings.CUSTODY_LISTENER)(change, act, facts)
