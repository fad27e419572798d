"""What must hold whatever was killed, asked from outside in plain SQL. Imports nothing of the product.

All rules of one look read one REPEATABLE READ snapshot, so it may look while everything is in motion.

    I1 each frozen row is exactly one of: not reached, left alone and listed, or changed by the change
    I2 changed means exactly one history row of that change, made from the very version that was frozen
    I3 rows in the table = rows added - rows removed; every event counts its history rows
    I4 a change writes to no row outside its frozen set; every row is its own last version
    I5 ranges are gapless, each row worked off once, fences and cursors only rise; so are archive files
    I6 nothing was changed that had not been agreed to by enough other persons
    I7 states follow the published steps, and a change that ended stays as it ended
    I8 an undo, a trial taken back and a rollback give the row as it was, bit by bit; sequences never fall back
    I14 what was acknowledged to a caller is there
    I15 one request key, one answer

I12 is in `chaos.__main__`, I13 in `chaos.catalog`, I16 in `chaos.watch`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import psycopg

from chaos.rules import MINE, OVERALL, PER_TABLE

DELETE_COLUMNS = ("is_deleted", "deleted_at", "status", "retention_policy")
TERMINAL = ("done", "cancelled", "refused")
MOVING = ("frozen", "running", "cancelling")
STEPS = {
    "draft": ("frozen", "refused"),
    "frozen": ("waiting", "cleared", "refused"),
    "waiting": ("cleared", "refused", "draft"),
    "cleared": ("running", "refused", "waiting"),
    "running": ("done", "paused", "cancelling", "failed"),
    "paused": ("running", "cancelling"),
    "cancelling": ("cancelled", "done", "failed"),
    "failed": ("running",),
    "done": (),
    "cancelled": (),
    "refused": (),
}

SETUP = """
CREATE SCHEMA IF NOT EXISTS chaos;
CREATE TABLE IF NOT EXISTS chaos.before (
  change_id bigint, entity text, id bigint, row text, PRIMARY KEY (change_id, entity, id));
CREATE TABLE IF NOT EXISTS chaos.settled (change_id bigint PRIMARY KEY);
"""
REMEMBER = """
INSERT INTO chaos.before
SELECT r.change_id, '{entity}', o.id, ROW({present})::text FROM changes_frozenrow r
  JOIN changes_changepart p ON p.change_id = r.change_id AND p.part = r.part AND p.entity = '{entity}'
  JOIN {name} o ON o.id = r.position AND o.xmin = r.token
 WHERE r.tenant_id = 1 AND r.change_id = %s ON CONFLICT DO NOTHING
"""
SETTLE = """
INSERT INTO chaos.settled SELECT id FROM changes_change WHERE state = ANY(%s) ON CONFLICT DO NOTHING
"""
LOST_WRITES = """
SELECT count(*) FROM unnest(%s::text[]::xid8[]) w WHERE NOT EXISTS (
  SELECT FROM audit_event e WHERE e.xid = w AND e.channel = 'shop')
"""
LOST_VOTES = """
SELECT count(*) FROM unnest(%s::bigint[], %s::bigint[]) a(ticket, person) WHERE NOT EXISTS (
  SELECT FROM approvals_vote v WHERE v.ticket_id = a.ticket AND v.person_id = a.person)
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A governed table as the checker knows it, without asking the product."""

    entity: str
    name: str
    history: str


TABLES = (
    Table("shop.order", "shop_order", "shop_historicalorder"),
    Table("shop.orderitem", "shop_orderitem", "shop_historicalorderitem"),
    Table("shop.usertag", "shop_usertag", "shop_historicalusertag"),
    Table("shop.behaviourlog", "shop_behaviourlog", "shop_historicalbehaviourlog"),
)


@dataclass(slots=True)
class Heard:
    """What callers were told: numbers of changes, (ticket, person) of votes, changes started, xids of other programs.

    `answers` are complaints of the callers themselves: another answer to the same question.
    """

    changes: set[int] = field(default_factory=set)
    votes: set[tuple[int, int]] = field(default_factory=set)
    starts: set[int] = field(default_factory=set)
    writes: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Checker:
    """Looks as a superuser; remembers what may only rise and what may never change again."""

    conninfo: str
    lanes: dict[int, tuple[int, int]] = field(default_factory=dict)
    states: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    heard: Heard = field(default_factory=Heard)

    def set_up(self) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(SETUP)

    def remember(self, change_id: int) -> None:
        """Keep the frozen rows of a change as they are now, before it starts."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            for table in TABLES:
                connection.execute(REMEMBER.format(**_names(connection, table)), [change_id])

    def violations(self, *, quick: bool = False, last: bool = False) -> list[str]:
        """Every rule that does not hold now, with the number of rows that break it.

        A quick look leaves out the rules that read whole tables; a full one is of changes that had not ended at an
        earlier full look, the last one of all.
        """
        heard = Heard(set(self.heard.changes), set(self.heard.votes), set(self.heard.starts), list(self.heard.writes))
        with psycopg.connect(self.conninfo) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SET LOCAL work_mem = '64MB'")
            if last:
                connection.execute("DELETE FROM chaos.settled")
            found = [*self._rising(connection), *_lost(connection, heard), *_broken(connection, OVERALL)]
            found += [f"I15 {answer}" for answer in self.heard.answers]
            for table in () if quick else TABLES:
                names = _names(connection, table)
                connection.execute(MINE.format(**names))
                rules = {f"{rule} ({table.name})": query.format(**names) for rule, query in PER_TABLE.items()}
                found += _broken(connection, rules)
                connection.execute("DROP TABLE mine, frozen")
            if not quick and not found:
                connection.execute(SETTLE, [list(TERMINAL)])
            return found

    def moving(self) -> list[str]:
        """I12: changes that have neither ended nor wait for a person."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            rows = connection.execute(
                "SELECT id, operation, state FROM changes_change WHERE state = ANY(%s)", [list(MOVING)]
            )
            return [f"change {change}, a {operation}, is {state}" for change, operation, state in rows.fetchall()]

    def progress(self) -> int:
        """A number that rises whenever a chunk commits or a change ends."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            row = connection.execute(
                "SELECT (SELECT coalesce(sum(chunks), 0) FROM changes_lane) "
                "+ (SELECT count(*) FROM changes_change WHERE finished_at IS NOT NULL)"
            ).fetchone()
            return int(row[0]) if row else 0

    def _rising(self, connection: psycopg.Connection) -> Iterator[str]:
        rows = connection.execute(
            "SELECT l.id, l.fence, l.cursor, c.canary = 'taking_back' FROM changes_lane l "
            "JOIN changes_change c ON c.id = l.change_id"
        ).fetchall()
        for lane, fence, cursor, returning in rows:
            before = self.lanes.get(lane, (fence, cursor))
            if fence < before[0] or (cursor < before[1] and not returning):
                yield f"I5 lane {lane} went back from {before} to {fence, cursor}"
            self.lanes[lane] = (fence, cursor)
        changes = connection.execute("SELECT id, state, applied, skipped FROM changes_change").fetchall()
        for change, state, applied, skipped in changes:
            now, before = (state, applied, skipped), self.states.get(change)
            if before is not None and before[0] in TERMINAL and before != now:
                yield f"I7 change {change} had ended as {before} and is {now}"
            if before is not None and state not in reachable(before[0]):
                yield f"I7 change {change} was {before[0]} and is {state}"
            self.states[change] = now


def reachable(state: str) -> set[str]:
    """Every state that published steps lead to from this one, itself among them."""
    found, ahead = {state}, [state]
    while ahead:
        for step in STEPS[ahead.pop()]:
            if step not in found:
                found.add(step)
                ahead.append(step)
    return found


def _lost(connection: psycopg.Connection, heard: Heard) -> Iterator[str]:
    there = connection.execute("SELECT id, started_at IS NOT NULL FROM changes_change").fetchall()
    if lost := heard.changes - {change for change, _ in there}:
        yield f"I14 acknowledged and lost: changes {sorted(lost)[:5]}"
    if lost := heard.starts - {change for change, started in there if started}:
        yield f"I14 acknowledged and lost: starts of changes {sorted(lost)[:5]}"
    votes = list(zip(*heard.votes, strict=True)) or [(), ()]
    for what, query, values in (
        ("votes", LOST_VOTES, [list(votes[0]), list(votes[1])]),
        ("writes of other programs", LOST_WRITES, [heard.writes]),
    ):
        row = connection.execute(query, values).fetchone()
        if row and row[0]:
            yield f"I14 acknowledged and lost: {row[0]} {what}"


def _broken(connection: psycopg.Connection, rules: dict[str, str]) -> list[str]:
    found = []
    for rule, query in rules.items():
        row = connection.execute(query).fetchone()  # type: ignore[call-overload]
        if row and row[0]:
            found.append(f"{rule}: {row[0]}")
    return found


def _names(connection: psycopg.Connection, table: Table) -> dict[str, str]:
    """The names a rule's text may use: columns that table and history share, as rows, as texts, as names."""
    rows = connection.execute(
        "SELECT a.attname FROM pg_attribute a JOIN pg_attribute h ON h.attname = a.attname AND h.attrelid = %s::regclass "
        "WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        [table.history, table.name],
    ).fetchall()
    columns = [name for (name,) in rows]
    return {
        "entity": table.entity,
        "name": table.name,
        "history": table.history,
        "columns": _list("h", columns),
        "present": _list("o", columns),
        "before": _list("v", columns),
        "texts": _list("h", columns, "::text"),
        "before_texts": _list("v", columns, "::text"),
        "names": _quoted(columns),
        "of_a_delete": _quoted(DELETE_COLUMNS),
    }


def _list(alias: str, columns: Sequence[str], cast: str = "") -> str:
    return ", ".join(f'{alias}."{column}"{cast}' for column in columns)


def _quoted(columns: Sequence[str]) -> str:
    return ", ".join(f"'{column}'" for column in columns)
