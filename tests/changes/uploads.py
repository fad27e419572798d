"""Uploads in test-sized steps."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from approvals import gate
from approvals.gate import Outcome
from changes import staging
from changes.models import Change, ImportRow
from foundation.actor import Actor
from foundation.context import acting
from tests.journey import REASON


def send(actor: Actor, text: str | bytes, entity: str = "shop.order", **more: Any) -> Change:
    """Send a file."""
    data = text.encode() if isinstance(text, str) else text
    with acting(actor):
        return staging.stage(actor, entity=entity, stream=BytesIO(data), name="orders.csv", **more)


def ask_import(actor: Actor, draft: Change, **options: Any) -> Outcome:
    """Ask for what a sent file would do."""
    with acting(actor):
        return gate.request(
            actor,
            entity=draft.entity,
            operation="import",
            selection=None,
            reason=REASON,
            title=draft.title,
            draft_id=draft.pk,
            options={"import": draft.pk, **options},
        )


def verdicts(draft: Change) -> dict[int, str]:
    """Line -> what it would do."""
    return dict(ImportRow.objects.filter(change_id=draft.pk).order_by("line").values_list("line", "verdict"))


def problems(draft: Change) -> dict[int, list[dict[str, str]]]:
    """Line -> what is wrong with it."""
    rows = ImportRow.objects.filter(change_id=draft.pk, verdict="wrong").order_by("line")
    return dict(rows.values_list("line", "problems"))
