"""What happens to the rows of one part, as SQL: one small file per effect, one line in `changes.effects`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from changes.models import Change, ChangePart
from changes.states import SkipReason
from changes.tables import Table

# (change, table, part, bounds on row o) -> the statement of one chunk, over the frozen rows r with position in (lo, hi]
ChunkSql = Callable[[Change, Table, ChangePart, str], str]
# (change, table, part) -> an expression for the reason why the frozen row r was left alone
SkipSql = Callable[[Change, Table, ChangePart], str]
# part -> whether that statement joins frozen rows and rows only, so that it can go through both by range
ByRange = Callable[[ChangePart], bool]
# (change, part) -> further parameters of the statement
Values = Callable[[Change, ChangePart], dict[str, Any]]
# (change, number of the part) -> hex digest
Content = Callable[[Change, int], str]

FROZEN = (
    "r.tenant_id = %(tenant)s AND r.change_id = %(change)s AND r.part = %(part)s "
    "AND r.position > %(lo)s AND r.position <= %(hi)s"
)


def never(part: ChangePart) -> bool:
    """Each frozen row finds its row, and whatever else belongs to it, through an index."""
    return False


def nothing(change: Change, part: ChangePart) -> dict[str, Any]:
    """No further parameters."""
    return {}


def changed_or_gone(change: Change, table: Table, part: ChangePart) -> str:
    """The row is no longer what was frozen, or no longer there."""
    return (
        f"CASE WHEN NOT EXISTS (SELECT FROM {table.name} o WHERE {table.match()} AND {table.tenant()}) "
        f"THEN '{SkipReason.GONE}' ELSE '{SkipReason.CHANGED}' END"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectKind:
    """A registered effect.

    chunk_sql  the statement of one chunk
    skip_sql   why a frozen row was left alone
    by_range   which parts' statement may walk both sides by range
    values     parameters of the statement besides tenant, change, part, lo and hi
    content    a digest over what its rows get, where neither options nor frozen rows hold it
    there      whether the rows exist before the change runs, so that one that is missing has gone since
    locked     whether the rows are there already and are locked in key order first
    archived   whether every row must lie in cold storage before the first one is touched
    """

    chunk_sql: ChunkSql
    skip_sql: SkipSql = changed_or_gone
    by_range: ByRange = never
    values: Values = nothing
    content: Content | None = None
    there: bool = True
    locked: bool = True
    archived: bool = False
