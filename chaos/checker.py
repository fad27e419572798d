"""What must hold whatever was killed, asked from outside in plain SQL. Imports nothing of the product.

All rules of one look read one REPEATABLE READ snapshot, so it may look while everything is in motion.

    I1 each frozen row is exactly one of: not reached, left alone and listed, or changed by the change
    I2 changed means exactly one history row of that change, made from the very version that was frozen
    I3 rows in the table = rows added - rows removed; every event counts its history rows
    I4 a change writes to no row outside its frozen set; every row is its own last version
    I5 ranges are gapless, each row worked off once, fences and cursors only rise
    I6 nothing was changed that had not been agreed to by enough other persons
    I7 a change that ended stays as it ended
    I8 an undo brings the row back bit by bit, as it was before the change started
    I14 what was acknowledged to a caller is there
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import psycopg

from chaos.rules import MINE, OVERALL, PER_TABLE

DELETE_COLUMNS = ("is_deleted", "deleted_at", "status", "retention_policy")
TERMINAL = ("done", "cancelled", "refused")

SETUP = """
CREATE SCHEMA IF NOT EXISTS chaos;
CREATE TABLE IF NOT EXISTS chaos.before (
  change_id bigint, entity text, id bigint, row text, PRIMARY KEY (change_id, entity, id));
"""
REMEMBER = """
INSERT INTO chaos.before
SELECT r.change_id, '{entity}', o.id, ROW({present})::text FROM changes_frozenrow r
  JOIN changes_changepart p ON p.change_id = r.change_id AND p.part = r.part AND p.entity = '{entity}'
  JOIN {name} o ON o.id = r.position AND o.xmin = r.token
 WHERE r.tenant_id = 1 AND r.change_id = %s ON CONFLICT DO NOTHING
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
class Checker:
    """Looks as a superuser; remembers what may only rise and what may never change again."""

    conninfo: str
    lanes: dict[int, tuple[int, int]] = field(default_factory=dict)
    states: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)

    def set_up(self) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(SETUP)

    def remember(self, change_id: int) -> None:
        """Keep the frozen rows of a delete as they are now, before it starts."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            for table in TABLES:
                connection.execute(REMEMBER.format(**_names(connection, table)), [change_id])

    def violations(self, *, quick: bool = False) -> list[str]:
        """Every rule that does not hold now, with the number of rows that break it.

        A quick look leaves out the rules that read whole tables.
        """
        with psycopg.connect(self.conninfo) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SET LOCAL work_mem = '64MB'")
            found = [*self._rising(connection), *_broken(connection, OVERALL)]
            for table in () if quick else TABLES:
                names = _names(connection, table)
                connection.execute(MINE.format(**names))
                rules = {f"{rule} ({table.name})": query.format(**names) for rule, query in PER_TABLE.items()}
                found += _broken(connection, rules)
                connection.execute("DROP TABLE mine, frozen")
            return found

    def _rising(self, connection: psycopg.Connection) -> Iterator[str]:
        for lane, fence, cursor in connection.execute("SELECT id, fence, cursor FROM changes_lane").fetchall():
            before = self.lanes.get(lane, (fence, cursor))
            if fence < before[0] or cursor < before[1]:
                yield f"I5 lane {lane} went back from {before} to {fence, cursor}"
            self.lanes[lane] = (fence, cursor)
        rows = connection.execute("SELECT id, state, applied, skipped FROM changes_change").fetchall()
        for change, *now in rows:
            ended = self.states.get(change)
            if ended is not None and ended[0] in TERMINAL and ended != tuple(now):
                yield f"I7 change {change} had ended as {ended} and is {now}"
            self.states[change] = (now[0], now[1], now[2])
        if lost := self.acknowledged - {change for change, *_ in rows}:
            yield f"I14 acknowledged and lost: changes {sorted(lost)[:5]}"


def _broken(connection: psycopg.Connection, rules: dict[str, str]) -> list[str]:
    found = []
    for rule, query in rules.items():
        row = connection.execute(query).fetchone()  # type: ignore[call-overload]
        if row and row[0]:
            found.append(f"{rule}: {row[0]}")
    return found


def _names(connection: psycopg.Connection, table: Table) -> dict[str, str]:
    """The names a rule's text may use: columns that table and history share, and those no delete writes."""
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
        "others": _list("h", [column for column in columns if column not in DELETE_COLUMNS]),
    }


def _list(alias: str, columns: Sequence[str]) -> str:
    return ", ".join(f'{alias}."{column}"' for column in columns)
