"""Titles that may leave the house: those a requester wrote. What the engine calls a change by itself quotes its filter."""

from __future__ import annotations

from changes.models import Change
from changes.states import Operation


def own_title(change: Change) -> str:
    """The title its requester wrote, in one line; "" for one that was made of the selection or of another change."""
    title = " ".join(change.title.split())
    return "" if _is_made(change) else title


def _is_made(change: Change) -> bool:
    begins = [
        f"{change.operation.capitalize()} {change.selection_text}"[:60],
        f"Undo C-{change.undo_of_id}:",
        f"Retry C-{change.retry_of_id}:",
    ]
    unnamed = (
        change.operation == Operation.UNDO and change.undo_of_id is None
    )  # of statements: named after their tables
    return unnamed or any(change.title.startswith(begin) for begin in begins) or not change.title
