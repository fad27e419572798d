"""What an operation is: how it freezes, how it applies a chunk, in which order it walks its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from changes.models import Change, ChangePart
from changes.plan import Plan
from changes.selection import Selection
from changes.tables import Table

# (change, selection, cascade_also) -> plan, rows frozen
Freeze = Callable[[Change, Selection | None, frozenset[str]], Plan]
# (table, part, bounds on row o) -> the UPDATE of one chunk, over the frozen rows r with position in (lo, hi]
ChunkSql = Callable[[Table, ChangePart, str], str]
# (table, part) -> WHEN branches that say why the row of frozen row r, which is there, was left alone
SkipSql = Callable[[Table, ChangePart], str]


# part -> whether that UPDATE joins frozen rows and rows only, so that it can go through both by range
ByRange = Callable[[ChangePart], bool]


def never(part: ChangePart) -> bool:
    """Each frozen row finds its row, and whatever else belongs to it, through an index."""
    return False


def changed_since(table: Table, part: ChangePart) -> str:
    """No other reason than that the row is no longer what was frozen."""
    return ""


@dataclass(frozen=True, slots=True)
class OperationKind:
    """A registered operation.

    deepest_first   dependants are changed before what they depend on
    needs_selection the caller names rows; an undo names a change instead
    live_rows       works on live rows; otherwise on the recycle bin
    by_range        which parts' UPDATE may walk both sides by range
    skip_sql        further reasons why a row is left alone
    """

    freeze: Freeze
    chunk_sql: ChunkSql
    deepest_first: bool
    needs_selection: bool = True
    live_rows: bool = True
    by_range: ByRange = never
    skip_sql: SkipSql = changed_since

    def rows(self, selection: Selection) -> Any:
        """The queryset the operation may select from."""
        model: Any = selection.entity
        return selection.narrow(model.objects.all() if self.live_rows else model.deleted.all())
