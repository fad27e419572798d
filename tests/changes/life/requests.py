"""Which rows a request is about: the closure of a delete, what went along with a restored row, what a change or an event wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.changes.life.oracle import Asked, Oracle, PartKey, Want
from tests.changes.life.tables import BY_NAME, QUIET, SOFT, TABLES, Key, Row, alive, parent_of

SOFT_DELETE = frozenset(SOFT)
Parts = dict[PartKey, dict[int, Want]]


@dataclass(slots=True)
class Request:
    """The rows of a request. `perhaps` are rows that belong to it only if the row they hang on is not left alone.

    `along` are the parts whose rows are meant because of rows of other parts.
    """

    parts: Parts = field(default_factory=dict)
    perhaps: dict[tuple[PartKey, int], Key] = field(default_factory=dict)
    protected: bool = False
    along: set[PartKey] = field(default_factory=set)

    def add(self, want: Want) -> None:
        self.parts.setdefault((want.key[0], want.effect, want.columns), {})[want.key[1]] = want

    def wants(self) -> list[Want]:
        return [want for wants in self.parts.values() for want in wants.values()]


def delete(oracle: Oracle, table: str, keys: Iterable[Key], also: frozenset[str]) -> Request:
    """The live rows among the keys, everything below them, and the links to clear."""
    going = {key for key in keys if key in oracle.rows and alive(oracle.rows[key])}
    queue = sorted(going)
    while queue:
        for child, link in oracle.children(queue.pop()):
            along = link.rule == "cascade" or BY_NAME[child[0]].relation(link) in also
            if along and child not in going:
                going.add(child)
                queue.append(child)
    request = Request()
    cleared: dict[str, set[str]] = {}
    linked: set[Key] = set()
    for key in sorted(going):
        request.add(Want(key, "delete", SOFT_DELETE, token=oracle.tokens[key]))
        for child, link in oracle.children(key):
            if child in going:
                continue
            if link.rule == "clear":
                linked.add(child)
                cleared.setdefault(child[0], set()).add(link.column)
            elif BY_NAME[child[0]].relation(link) not in also:
                request.protected = True
    for key in sorted(linked):
        request.add(Want(key, "clear", frozenset(cleared[key[0]]), token=oracle.tokens[key]))
    request.along = {part for part in request.parts if part[:2] != (table, "delete")}
    return request


def restore(oracle: Oracle, keys: Iterable[Key]) -> Request:
    """The deleted rows among the keys, and what was deleted with them by the same change."""
    request = Request()
    queue = []
    for key in sorted(keys):
        want = _recall(oracle, key)
        if want is not None:
            request.add(want)
            queue.append(key)
    seen = set(queue)
    first = set(queue)
    while queue:
        parent = queue.pop(0)
        change = _ended_by(oracle, parent)
        for table in TABLES:
            for link in table.links:
                if link.parent != parent[0] or link.rule == "clear" or change is None:
                    continue
                for child in oracle.of(table.name):
                    want = _recall(oracle, child)
                    if want is None or child in seen or parent_of(oracle.rows[child], link) != parent:
                        continue
                    if _ended_by(oracle, child) != change:
                        continue
                    seen.add(child)
                    request.add(want)
                    if child not in first:
                        request.perhaps[(child[0], "recall", SOFT_DELETE), child[1]] = parent
                    queue.append(child)
    request.along = {part for part in request.parts if all(part[0] != key[0] for key in first)}
    return request


def _last_alive(oracle: Oracle, key: Key) -> int | None:
    found = [n for n, version in enumerate(oracle.versions[key]) if alive(version.row)]
    return found[-1] if found else None


def _ended_by(oracle: Oracle, key: Key) -> int | None:
    """The change that ended the row's last life."""
    last = _last_alive(oracle, key)
    return None if last is None else oracle.versions[key][last + 1].change


def _recall(oracle: Oracle, key: Key) -> Want | None:
    if key not in oracle.rows or alive(oracle.rows[key]):
        return None
    last = _last_alive(oracle, key)
    if last is None:
        return None
    versions = oracle.versions[key]
    return Want(key, "recall", SOFT_DELETE, before=versions[last].row, after=versions[-1].row)


# -- undo of a change -------------------------------------------------------------------------------


def undo(oracle: Oracle, done: Asked, only: dict[str, Any]) -> Request:
    """Every row the change wrote, as it was before; what it added is archived."""
    request = Request()
    for part, rows in done.written.items():
        table, effect, columns = part
        if effect == "link":
            continue
        wanted = _narrowed(only, table, columns) if effect != "add" else SOFT_DELETE
        if not wanted or (effect == "add" and only.get("fields")):
            continue
        for row, (before, after) in sorted(rows.items()):
            key = (table, row)
            if effect == "add":
                last = [v for v in oracle.versions[key] if v.change == done.number][-1].row
                want = Want(key, "delete", SOFT_DELETE, after=last, token=oracle.tokens.get(key, ""))
            else:
                want = Want(key, "revert", wanted, before=before, after=after)
            meant, above = _chosen(only, want, before or after, request, along=part in done.along)
            if not meant:
                continue
            request.add(want)
            if part in done.along:
                request.along.add((table, want.effect, want.columns))
            if above is not None:
                request.perhaps[(table, want.effect, want.columns), row] = above
    return request


def _narrowed(only: dict[str, Any], table: str, columns: frozenset[str]) -> frozenset[str]:
    names = only.get("fields", {}).get(BY_NAME[table].entity)
    if names is None:
        return frozenset() if only.get("fields") else columns
    wanted = {name + "_id" if name in ("customer", "order", "referred_by") else name for name in names}
    return columns & (wanted | SOFT_DELETE if wanted & SOFT_DELETE else wanted)


def _chosen(
    only: dict[str, Any], want: Want, version: Row, request: Request, *, along: bool
) -> tuple[bool, Key | None]:
    """Whether the row is meant, and the row it must hang on for that, if it is not named itself."""
    rows = only.get("rows")
    table = BY_NAME[want.key[0]]
    if not rows:
        return True, None
    named = rows.get(table.entity)
    if named is not None:
        return want.key[1] in named["keys"], None
    above = {w.key for w in request.wants()}
    parents = [parent_of(version, link) for link in table.links] if along else []
    return next(((True, parent) for parent in parents if parent in above), (False, None))


# -- undo of events ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fold:
    """What the chosen events made of one row; `broken` when somebody else wrote it between them."""

    key: Key
    before: Row | None
    after: Row | None
    broken: bool


def undo_events(oracle: Oracle, events: set[int], only: dict[str, Any]) -> Request:
    """What the events did to each row, folded: from the version before the first of them to the last of them."""
    request = Request()
    folds = list(_folds(oracle, events))
    for table in TABLES:
        updated = [f for f in folds if f.key[0] == table.name and f.before is not None and f.after is not None]
        _updates(request, table.name, updated, only)
    for fold in folds:
        if only.get("fields") or not _meant(only, fold.key):
            continue
        if fold.before is None and fold.after is not None:
            token = oracle.tokens.get(fold.key, "")
            request.add(Want(fold.key, "delete", SOFT_DELETE, after=fold.after, token=token, disputed=fold.broken))
        if fold.before is not None and fold.after is None:
            request.add(Want(fold.key, "add", frozenset(fold.before), before=fold.before, disputed=fold.broken))
    return request


def _folds(oracle: Oracle, events: set[int]) -> Iterator[Fold]:
    for key, versions in sorted(oracle.versions.items()):
        mine = [n for n, version in enumerate(versions) if version.event in events]
        if mine:
            first, last = mine[0], mine[-1]
            before = versions[first - 1].row if first else None
            yield Fold(key, before, versions[last].row, broken=len(mine) < last - first + 1)


def _meant(only: dict[str, Any], key: Key) -> bool:
    named = only.get("rows", {}).get(BY_NAME[key[0]].entity)
    return not only.get("rows") or (named is not None and key[1] in named["keys"])


def _updates(request: Request, table: str, folds: list[Fold], only: dict[str, Any]) -> None:
    columns = frozenset(c for f in folds for c in f.before or {} if f.before[c] != f.after[c])  # type: ignore[index]
    if columns <= QUIET:
        return
    columns = _narrowed(only, table, columns)
    for fold in folds:
        assert fold.before is not None
        assert fold.after is not None
        touched = any(fold.before[c] != fold.after[c] for c in columns - QUIET)
        if touched and _meant(only, fold.key):
            want = Want(fold.key, "revert", columns, before=fold.before, after=fold.after, disputed=fold.broken)
            request.add(want)
