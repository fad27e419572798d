"""The plan as values: parts, conflicts, and what the freeze found out on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from audit.entity import SoftDeleted
from changes.states import Effect
from foundation.errors import CustodyError

# Entity, rows, threshold.
Counted = tuple[str, int, int]


def over_threshold(parts: Iterable[Counted]) -> tuple[Counted, ...]:
    """Parts that need approval. Tables under the same threshold count together: an invoice goes with its lines.

    The database counts the same way (`approvals/sql/guards_v3.sql`).
    """
    known = tuple(parts)
    together: Counter[int] = Counter()
    for _, rows, threshold in known:
        together[threshold] += rows
    return tuple(part for part in known if part[1] and together[part[2]] > part[2])


@dataclass(slots=True)
class PartPlan:
    """One part while it is being frozen. Without a `step` of its own the depth decides when its turn comes."""

    number: int
    entity: type[SoftDeleted]
    effect: Effect | str
    columns: tuple[str, ...]
    depth: int = 0
    via: str = ""
    rows: int = 0
    conflicts: int = 0
    selected: int | None = None
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Protected:
    """Rows that stop the change."""

    entity: str
    relation: str
    rows: int
    sample: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyReport:
    """What became of a pasted list of keys. Unknown keys and keys of other tenants look the same."""

    given: int
    distinct: int
    found: int
    unknown_sample: tuple[str, ...]

    @property
    def unknown(self) -> int:
        return self.distinct - self.found

    @property
    def repeated(self) -> int:
        return self.given - self.distinct


@dataclass(frozen=True, slots=True)
class Retention:
    """How many of the selected rows may be removed by now, and when the next one may.

    unknown  policy -> rows: nobody has said how long it keeps them, so they are never removed
    """

    rows: int
    due: int
    next_due: datetime | None
    unknown: dict[str, int]


@dataclass(slots=True)
class Plan:
    """Everything the freeze decided.

    lost             (entity, column): written by the change, no longer there, cannot come back
    scope            (entity, columns): what an undo can be narrowed to; no columns where whole rows came or went
    approvals_least  other persons that must agree however few the rows are
    selected         rows that were named, where the first part does not tell
    retention        of a purge: what of the selection is due
    empty            why there is nothing to do, where the operation knows more than that
    """

    parts: list[PartPlan] = field(default_factory=list)
    protected: list[Protected] = field(default_factory=list)
    keys: KeyReport | None = None
    digest: str = ""
    snapshot: str = ""
    schema_fingerprint: str = ""
    table_rows: int = 0
    lost: tuple[tuple[str, str], ...] = ()
    scope: tuple[tuple[str, tuple[str, ...]], ...] = ()
    approvals_least: int = 0
    selected: int | None = None
    retention: Retention | None = None
    empty: CustodyError | None = None

    @property
    def rows_selected(self) -> int:
        """Rows that were named; what goes along with them may be of the same table."""
        if self.selected is not None:
            return self.selected
        if not self.parts:
            return 0
        first = self.parts[0]
        return first.rows if first.selected is None else first.selected

    @property
    def rows_total(self) -> int:
        return sum(part.rows for part in self.parts)
