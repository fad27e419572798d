"""What one chunk makes of its rows, from the tables as they were before it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.changes.life.oracle import Asked, Oracle, PartKey, Want
from tests.changes.life.tables import BY_NAME, Key, Row, alive, parent_of

# Written by the database's clock: the oracle takes what it finds there.
NOW = "(now)"


@dataclass(slots=True)
class Outcome:
    """Rows as they must be after the chunk, and rows left alone with the reason."""

    rows: dict[int, Row] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)


def outcome(oracle: Oracle, asked: Asked, part: PartKey, ids: list[int], ahead: set[int]) -> Outcome:
    """Decide each row alone. `ahead` are the part's rows that this chunk and later ones work off."""
    made = Outcome()
    for row in ids:
        want = asked.parts[part][row]
        found = DECIDE[want.effect](oracle, asked, want, {(part[0], other) for other in ahead})
        if found == "changed_since" and oracle.ended(want.key, asked.known[want.key]):
            made.skipped[row] = "recreated"
        elif isinstance(found, str):
            made.skipped[row] = found
        else:
            made.rows[row] = found
    return made


def broken(oracle: Oracle, table: str, made: Outcome) -> set[int]:
    """Rows that the database would refuse: a unique value twice, a link to nothing."""
    after = dict(oracle.rows) | {(table, row): new for row, new in made.rows.items()}
    column = BY_NAME[table].unique
    bad = set()
    for row, new in made.rows.items():
        links = [parent_of(new, link) for link in BY_NAME[table].links]
        if any(parent is not None and parent not in after for parent in links):
            bad.add(row)
        twins = [
            k for k, other in after.items() if k[0] == table and alive(other) and other.get(column) == new.get(column)
        ]
        if column and alive(new) and len(twins) > 1:
            bad.add(row)
    return bad


def _archive(oracle: Oracle, asked: Asked, want: Want, ahead: set[Key]) -> Row | str:
    if (left := _moved(oracle, want)) is not None:
        return left
    gone = {"is_deleted": "true", "deleted_at": NOW, "status": "archived"}
    return oracle.rows[want.key] | gone | {"retention_policy": BY_NAME[want.key[0]].retention}


def _clear(oracle: Oracle, asked: Asked, want: Want, ahead: set[Key]) -> Row | str:
    if (left := _moved(oracle, want)) is not None:
        return left
    now = oracle.rows[want.key]
    cut = {}
    for link in BY_NAME[want.key[0]].links:
        parent = parent_of(now, link)
        if link.column in want.columns and parent is not None and parent[1] in asked.going(link.parent):
            cut[link.column] = None
    return now | cut


def _moved(oracle: Oracle, want: Want) -> str | None:
    if want.key not in oracle.rows:
        return "gone"
    return None if oracle.tokens[want.key] == want.token else "changed_since"


def _bring_back(oracle: Oracle, asked: Asked, want: Want, ahead: set[Key]) -> Row | str:
    if want.key not in oracle.rows:
        return "gone"
    if oracle.disputed(want, asked.rule):
        return "changed_since"
    return _unless_stopped(oracle, want, oracle.becomes(want, asked.rule), ahead)


def _add(oracle: Oracle, asked: Asked, want: Want, ahead: set[Key]) -> Row | str:
    if want.key in oracle.rows:
        return "key_reused"
    row = oracle.becomes(want, asked.rule)
    later = {link.column: None for link in BY_NAME[want.key[0]].links if link.parent == want.key[0]}
    return _unless_stopped(oracle, want, row | later, set())


def _unless_stopped(oracle: Oracle, want: Want, row: Row, ahead: set[Key]) -> Row | str:
    if oracle.unique_taken(want.key, row):
        return "unique_taken"
    if oracle.parent_gone(want, row, {key: True for key in ahead if key in oracle.rows}):
        return "parent_deleted"
    return row


def _link(oracle: Oracle, asked: Asked, want: Want, ahead: set[Key]) -> Row | str:
    if want.key not in oracle.rows:
        return "gone"
    now = oracle.rows[want.key]
    if any(now[c] is not None for c in want.columns):
        return "changed_since"
    assert want.before is not None
    return now | {c: want.before[c] for c in want.columns}


DECIDE = {
    "delete": _archive,
    "clear": _clear,
    "revert": _bring_back,
    "recall": _bring_back,
    "add": _add,
    "link": _link,
}
