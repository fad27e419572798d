"""How a change stands: what was found at the freeze, and what the latest run found otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from changes.models import Change, PreflightRun
from changes.preflight.base import LEVELS, Moment


@dataclass(frozen=True, slots=True)
class Standing:
    """Findings as JSON, the latest per check; `worse` are those that have become worse since it was asked for.

    at, by, moment  of the latest run; None where there was none but the first
    """

    findings: tuple[dict[str, Any], ...]
    worse: frozenset[str]
    at: datetime | None = None
    by: str = ""
    moment: str = Moment.REQUEST


def standing(change: Change) -> Standing:
    """Two sources, one query."""
    first = {finding["check"]: finding for finding in change.preflight}
    latest = PreflightRun.objects.filter(change_id=change.pk).exclude(moment=Moment.REQUEST).order_by("-pk").first()
    if latest is None:
        return Standing(tuple(first.values()), frozenset())
    now = first | {finding["check"]: finding for finding in latest.findings}
    worse = frozenset(
        finding["check"]
        for finding in latest.findings
        if LEVELS.index(finding["level"]) > LEVELS.index(first.get(finding["check"], {"level": LEVELS[0]})["level"])
    )
    return Standing(tuple(now.values()), worse, latest.made_at, latest.name, latest.moment)
