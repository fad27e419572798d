"""What an undo or a restore does about a row that something stands against: one rule per class of conflict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Min

from changes.errors import BadRule, ConflictsFound, UnknownConflict
from changes.models import Change, SkippedRow
from changes.states import SkipReason


@dataclass(frozen=True, slots=True)
class Lost:
    """A column that was written and is no longer there: its values cannot come back."""

    entity: str
    column: str


SKIP, KEEP, FORCE, ABORT = "skip", "keep_theirs", "force", "abort"
# keep_theirs: field by field, what somebody changed since stays, the rest comes back.
# force: comes back all the same; that needs a second person.
RULES: dict[str, tuple[str, ...]] = {
    SkipReason.CHANGED: (SKIP, KEEP, FORCE, ABORT),
    SkipReason.GONE: (SKIP, ABORT),
    SkipReason.UNIQUE: (SKIP, ABORT),
    SkipReason.PARENT: (SKIP, ABORT),
    SkipReason.REUSED: (SKIP, ABORT),
    SkipReason.DEPENDANTS: (SKIP, ABORT),
    SkipReason.COLUMN: (SKIP, ABORT),
}


def parse(data: Any) -> dict[str, str]:
    """Read {class: rule} from untrusted data; classes left out are skipped. Raises UnknownConflict, BadRule."""
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise UnknownConflict(field="conflicts", value=str(data)[:40], known=", ".join(RULES))
    for name, rule in data.items():
        if name not in RULES:
            raise UnknownConflict(field="conflicts", value=str(name)[:40], known=", ".join(RULES))
        if rule not in RULES[name]:
            known = ", ".join(RULES[name])
            raise BadRule(field=f"conflicts.{name}", value=str(rule)[:40], name=name, known=known)
    return {str(name): str(rule) for name, rule in data.items() if rule != SKIP}


def rule(change: Change, reason: str) -> str:
    """The rule of one class for this change."""
    return str(change.options.get("conflicts", {}).get(reason, SKIP))


def forced(change: Change) -> bool:
    """Whether any class overwrites other people's work."""
    return FORCE in change.options.get("conflicts", {}).values()


def refuse_lost(change: Change, lost: list[Lost]) -> None:
    """Raise ConflictsFound for a column that is gone, where the rule says stop."""
    if lost and rule(change, SkipReason.COLUMN) == ABORT:
        raise ConflictsFound(
            field=f"conflicts.{SkipReason.COLUMN}",
            rows=len(lost),
            reason=str(SkipReason.COLUMN.label),
            first=f"{lost[0].entity}.{lost[0].column}",
        )


def refuse_aborting(change: Change, *, part: int | None = None, lo: int = 0, hi: int = 0) -> None:
    """Raise ConflictsFound when a row was listed whose class aborts; with `part`, of its positions in (lo, hi]."""
    aborting = [name for name, chosen in change.options.get("conflicts", {}).items() if chosen == ABORT]
    if not aborting:
        return
    rows = SkippedRow.objects.filter(change_id=change.pk, reason__in=aborting)
    if part is not None:
        rows = rows.filter(part=part, position__gt=lo, position__lte=hi)
    for found in rows.values("reason").annotate(rows=Count("*"), first=Min("position")).order_by("reason"):
        raise ConflictsFound(
            field=f"conflicts.{found['reason']}",
            rows=found["rows"],
            reason=str(SkipReason(found["reason"]).label),
            first=found["first"],
        )
