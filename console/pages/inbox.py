"""Tickets that wait for somebody."""

from __future__ import annotations

from foundation.actor import Actor


def waiting_count(actor: Actor) -> int:
    """Open tickets this person can decide now."""
    return 0
