"""What each change must do, row by row, from plain copies of the tables. Slow, obvious, and importing nothing of the product.

The oracle keeps every row as it last saw it, every version a row went through, and what each change has frozen and
written. `candidates` says which rows a request is about, `standing` what speaks against one of them now, `outcome`
what a chunk makes of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.changes.life.tables import BY_NAME, QUIET, SOFT, TABLES, Key, Link, Row, alive, parent_of

KEEP, FORCE, ABORT = "keep_theirs", "force", "abort"
# table, effect, columns
PartKey = tuple[str, str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Version:
    """A row after one write, None when it was removed; written by an event of others, or by a change."""

    row: Row | None
    event: int | None = None
    change: int | None = None


@dataclass(frozen=True, slots=True)
class Want:
    """What a change is to do with one row: bring `before` back where it still is `after`, or archive version `token`."""

    key: Key
    effect: str
    columns: frozenset[str]
    before: Row | None = None
    after: Row | None = None
    token: str = ""
    disputed: bool = False


@dataclass(slots=True)
class Asked:
    """A change: what it may do and what it has done."""

    number: int
    operation: str
    rules: dict[str, str]
    parts: dict[PartKey, dict[int, Want]] = field(default_factory=dict)
    written: dict[PartKey, dict[int, tuple[Row | None, Row]]] = field(default_factory=dict)
    along: set[PartKey] = field(default_factory=set)
    tokens: dict[Key, str] = field(default_factory=dict)
    known: dict[Key, int] = field(default_factory=dict)
    accepted: int = 0

    @property
    def rule(self) -> str:
        return self.rules.get("changed_since", "skip")

    def going(self, table: str) -> set[int]:
        """Rows of a table that it archives."""
        return {row for part, wants in self.parts.items() if part[:2] == (table, "delete") for row in wants}


class Oracle:
    """Plain copies of the tables, and the naive rules over them."""

    def __init__(self) -> None:
        self.rows: dict[Key, Row] = {}
        self.tokens: dict[Key, str] = {}
        self.versions: dict[Key, list[Version]] = defaultdict(list)
        self.asked: dict[int, Asked] = {}

    # -- the rows -----------------------------------------------------------------------------------

    def wrote(self, key: Key, row: Row | None, **by: int) -> None:
        """A write that was seen to happen."""
        self.versions[key].append(Version(row, **by))

    def drift(self, asked: Asked, behind: Callable[[PartKey, int], bool] = lambda part, row: False) -> int:
        """Frozen rows that are not what they were; rows to be added were not there."""
        found = 0
        for part, wants in asked.parts.items():
            ahead = [want for row, want in wants.items() if part[1] not in ("add", "link") and not behind(part, row)]
            found += sum(self.tokens.get(want.key) != asked.tokens.get(want.key) for want in ahead)
        return found

    def ended(self, key: Key, since: int) -> bool:
        """The row was removed after that many of its versions."""
        return any(version.row is None for version in self.versions[key][since:])

    def of(self, table: str) -> list[Key]:
        return sorted(key for key in self.rows if key[0] == table)

    def live(self, table: str) -> list[Key]:
        return [key for key in self.of(table) if alive(self.rows[key])]

    def removed(self, table: str) -> list[Key]:
        """Keys that were in use and are not now."""
        return sorted(key for key in self.versions if key[0] == table and key not in self.rows)

    def children(self, key: Key) -> Iterator[tuple[Key, Link]]:
        """Live rows that point to a row."""
        for table in TABLES:
            for link in table.links:
                if link.parent != key[0]:
                    continue
                for child in self.live(table.name):
                    if parent_of(self.rows[child], link) == key:
                        yield child, link

    # -- three ways per field -----------------------------------------------------------------------

    def disputed(self, want: Want, rule: str) -> bool:
        """Somebody has changed since what the change would bring back."""
        now = self.rows[want.key]
        if rule == FORCE:
            return False
        if simple(want.columns):
            return _image(now, want.columns) != _image(want.after, want.columns)
        touched = [
            (_image(now, f) != _image(want.after, f))
            for f in fields(want.columns)
            if _touched(want, f) and not f & QUIET
        ]
        if rule == KEEP:
            return all(touched) and any(f - QUIET for f in fields(want.columns))
        return any(touched)

    def becomes(self, want: Want, rule: str) -> Row:
        """The row as it is when the change has brought it back."""
        assert want.before is not None
        if want.effect == "add":
            return dict(want.before)
        now = self.rows[want.key]
        if simple(want.columns):
            return now | {c: want.before[c] for c in want.columns}
        back: Row = {}
        for f in fields(want.columns):
            moved = _image(now, f) != _image(want.after, f)
            overwrites = rule == FORCE or (rule != KEEP and not f & QUIET)
            if _touched(want, f) and (overwrites or not moved):
                back |= {c: want.before[c] for c in f}
        return now | back

    # -- what stands against a row that comes back ------------------------------------------------

    def unique_taken(self, key: Key, row: Row) -> bool:
        column = BY_NAME[key[0]].unique
        if not column or not alive(row):
            return False
        return any(self.rows[other][column] == row[column] for other in self.live(key[0]) if other != key)

    def parent_gone(self, want: Want, row: Row, back: dict[Key, bool]) -> bool:
        """A parent is not there, or in the recycle bin, and does not come `back` (alive or not)."""
        for link in BY_NAME[want.key[0]].links:
            whole = want.effect == "add" or "is_deleted" in want.columns
            if not whole and link.column not in want.columns:
                continue
            parent = parent_of(row, link)
            if parent is None:
                continue
            there = parent in self.rows or parent in back
            if not there or (alive(row) and not alive(self.rows.get(parent)) and not back.get(parent)):
                return True
        return False

    def hung_on(self, key: Key, going: set[Key]) -> bool:
        """Live rows point to it that do not go along."""
        return any(child not in going for child, _ in self.children(key))

    def standing(self, want: Want, rule: str, back: dict[Key, bool], going: set[Key]) -> set[str]:
        """Every reason to leave a row alone when the request is frozen."""
        if want.effect == "add":
            if want.key in self.rows or want.disputed:
                return {"key_reused"} if want.key in self.rows else {"changed_since"}
        elif want.key not in self.rows:
            return {"gone"}
        elif want.effect == "delete":
            now, after = self.rows[want.key], want.after
            moved = want.disputed or (after is not None and _steady(now) != _steady(after))
            hung = {"dependants"} if self.hung_on(want.key, going) else set()
            return {"changed_since"} if moved or not alive(now) else hung
        elif (want.disputed and rule != FORCE) or self.disputed(want, rule):
            return {"changed_since"}
        row = self.becomes(want, rule)
        found = {"unique_taken"} if self.unique_taken(want.key, row) else set()
        if self.parent_gone(want, row, back):
            found.add("parent_deleted")
        if want.key in self.rows and alive(self.rows[want.key]) and not alive(row) and self.hung_on(want.key, going):
            found.add("dependants")
        return found

    def comes_back(self, wants: list[Want], rule: str) -> dict[Key, bool]:
        """Rows that will be there because of the change, and whether they will be alive."""
        can = [w for w in wants if w.effect == "add" or (w.effect in ("revert", "recall") and w.key in self.rows)]
        return {w.key: alive(self.becomes(w, rule)) for w in can}

    def goes(self, wants: list[Want], rule: str) -> set[Key]:
        """Rows that will be in the recycle bin because of the change."""
        can = [w for w in wants if w.effect in ("revert", "recall") and w.key in self.rows]
        archived = {w.key for w in wants if w.effect == "delete"}
        return archived | {w.key for w in can if not alive(self.becomes(w, rule))}


def simple(columns: frozenset[str]) -> bool:
    """Nothing but the columns of a soft delete."""
    return "is_deleted" in columns and columns <= set(SOFT)


def fields(columns: frozenset[str]) -> list[frozenset[str]]:
    """Columns that come back together: those of a soft delete are one field."""
    soft = columns & set(SOFT) if "is_deleted" in columns else frozenset()
    return ([soft] if soft else []) + [frozenset({c}) for c in sorted(columns - soft)]


def _image(row: Row | None, columns: frozenset[str]) -> list[str | None]:
    assert row is not None
    return [row[c] for c in sorted(columns)]


def _touched(want: Want, columns: frozenset[str]) -> bool:
    return _image(want.before, columns) != _image(want.after, columns)


def _steady(row: Row) -> Row:
    return {c: value for c, value in row.items() if c not in QUIET}
