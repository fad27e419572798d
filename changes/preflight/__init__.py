"""Preflight: every check at once, each answering pass, warn or block, with its evidence. Kept as a row per run.

Made when a change is asked for, at every approving vote, and before every start. A block refuses with `PreflightBlocks`,
which names the check and the way out; what it found is kept all the same, except where nothing was frozen.
"""

from __future__ import annotations

from changes.preflight.base import Check, Finding, Moment, Part, Subject
from changes.preflight.running import again, before_start, before_vote, inspect, keep, look, refuse
from changes.preflight.standing import Standing, standing

__all__ = [
    "Check",
    "Finding",
    "Moment",
    "Part",
    "Standing",
    "Subject",
    "again",
    "before_start",
    "before_vote",
    "inspect",
    "keep",
    "look",
    "refuse",
    "standing",
]
