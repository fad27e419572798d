"""A project's own check in one file: no change of these rows on a day that it names."""

from __future__ import annotations

from changes.preflight.base import BLOCK, PASS, Check, Finding, Subject


def ask(subject: Subject) -> Finding:
    """Blocks whatever says so in its reason."""
    if "on the weekend" in subject.change.reason:
        return Finding("weekend", BLOCK, "weekend", {"text": "Nobody is there to help.", "lines": ["Saturday"]})
    return Finding("weekend", PASS, "weekday", {"text": "Somebody is there."})


CHECK = Check(name="weekend", label="Weekend", ask=ask, way="Ask for it on Monday.")
