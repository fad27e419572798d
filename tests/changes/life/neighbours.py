"""What others do to the rows while changes live: each step is one of theirs, drawn by number from what is there."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.changes.life import others
from tests.changes.life.checks import Checks
from tests.changes.life.tables import BY_NAME, TABLES, Key, alive
from tests.changes.life.world import World


class Neighbours:
    """Writes beside changes, seen by the checks."""

    steps: ClassVar[dict[str, int]] = {}

    def __init__(self, world: World) -> None:
        self.world = world
        self.checks: Checks = world.checks
        self.oracle = world.checks.oracle

    def keys(self, table: str, picks: list[int], *, live: bool | None = None) -> list[Key]:
        found = self.oracle.of(table)
        if live is not None:
            found = [key for key in found if (key in self.oracle.live(table)) == live]
        return sorted({found[pick % len(found)] for pick in picks}) if found else []

    def changes(self, *states: str) -> list[int]:
        """Newest first."""
        return sorted((n for n, seen in self.checks.changes.items() if seen.state in states), reverse=True)

    def one(self, pick: int, *states: str) -> int | None:
        found = self.changes(*states)
        return found[pick % len(found)] if found else None

    def did(self, what: str) -> None:
        self.steps[what] = self.steps.get(what, 0) + 1

    def rows(self) -> None:
        """Two customers, three orders with four lines, tags and logs."""
        tenant = self.world.tenant
        self.write(
            [others.insert("shop_customer", tenant, [{"email": "'a@x.example'"}, {"email": "'b@x.example'"}])], True
        )
        (_, one), (_, two) = self.oracle.of("shop_customer")
        orders = [{"customer_id": str(c), "number": f"'N{n}'"} for n, c in enumerate((one, one, two), 1)]
        self.write([others.insert("shop_order", tenant, orders)], True)
        (_, first), (_, second), (_, third) = self.oracle.of("shop_order")
        lines = [{"order_id": str(o)} for o in (first, first, second, third)]
        of_customers = [{"customer_id": str(c)} for c in (one, two)]
        self.write(
            [
                others.insert("shop_orderitem", tenant, lines),
                others.insert("shop_usertag", tenant, of_customers),
                others.insert("shop_behaviourlog", tenant, of_customers),
                others.update("shop_customer", [two], f"referred_by_id = {one}"),
            ],
            True,
        )

    def write(self, statements: list[others.Statement], as_owner: bool) -> None:
        with self.world.as_operator():
            owner = self.world.owner if as_owner else None
            self.checks.others(others.carry_out(self.checks.eyes, statements, owner))

    def add(self, table: str, pick: int, value: int, **columns: str) -> None:
        self.did("add")
        self.write([others.insert(table, self.world.tenant, [self._fresh(table, pick, value) | columns])], False)

    def use_again(self, table: str, row: int, value: int) -> None:
        """A new row under the key of a removed one."""
        self.did("key again")
        self.write(
            [others.insert(table, self.world.tenant, [self._fresh(table, value, value) | {"id": str(row)}])], True
        )

    def live(self, table: str, row: int) -> bool:
        return alive(self.oracle.rows.get((table, row)))

    def _fresh(self, table: str, pick: int, value: int) -> dict[str, str]:
        row = {}
        for link in BY_NAME[table].links:
            parents = self.keys(link.parent, [pick], live=True)
            row[link.column] = str(parents[0][1]) if parents else "NULL"
        unique = BY_NAME[table].unique
        if unique:
            values = others.VALUES[table][unique]
            row[unique] = others.literal(unique, values[value % len(values)])
        return row

    def edit_rows(self, table: str, edits: list[tuple[list[int], int, int]], as_owner: bool) -> None:
        """One transaction; its statements may write the same row."""
        self.did("edit")
        statements = []
        for picks, column, value in edits:
            ids = [row for _, row in self.keys(table, picks)]
            if ids:
                statements.append(others.update(table, ids, self.edit(table, column, value)))
        self.write(statements, as_owner)

    def edit(self, table: str, column: int, value: int) -> str:
        names = [*others.VALUES[table], *(link.column for link in BY_NAME[table].links), "status"]
        name = names[column % len(names)]
        if name == "status":
            return "status = 'by hand'"
        for link in BY_NAME[table].links:
            if link.column == name:
                parents = self.keys(link.parent, [value])
                return f"{name} = {parents[0][1] if parents else 'NULL'}"
        values = others.VALUES[table][name]
        return f"{name} = {others.literal(name, values[value % len(values)])}"

    def save(self, table: str, pick: int, value: int) -> None:
        """Through the ORM: all columns are written, and the time."""
        from audit import registry

        keys = self.keys(table, [pick])
        if not keys:
            return
        self.did("save")
        with self.world.as_operator():
            row: Any = registry.entity(BY_NAME[table].entity).objects_and_deleted.get(pk=keys[0][1])
            name = next(c for c in others.VALUES[table] if c != BY_NAME[table].unique)
            values = others.VALUES[table][name]
            text = values[value % len(values)].strip("'")
            setattr(row, name, {"n": 1} if text.startswith("{") else text)
            row.save()
            now, _ = self.checks.eyes.rows()
            self.checks.others([[(keys[0], now[keys[0]])]])

    def by_hand(self, table: str, ids: list[int], *, back: bool) -> None:
        self.did("by hand")
        gone = "is_deleted = true, deleted_at = now(), status = 'archived'"
        here = "is_deleted = false, deleted_at = NULL, status = 'active', retention_policy = 'standard'"
        if ids:
            self.write([others.update(table, ids, here if back else gone)], True)

    def remove(self, keys: list[Key], *, below: bool) -> None:
        """For good, by the owner, perhaps with everything below."""
        self.did("remove")
        statements = []
        for child in reversed(TABLES):
            ids = {row for key in keys for row in self._below(key, child.name)} if below else set()
            if ids:
                statements.append(others.delete(child.name, sorted(ids)))
        if keys:
            self.write([*statements, others.delete(keys[0][0], [row for _, row in keys])], True)

    def _below(self, key: Key, table: str) -> list[int]:
        found = []
        for link in BY_NAME[table].links:
            for child in self.oracle.of(table):
                above = self.oracle.rows[child][link.column]
                if above is None or child == key or child[0] == key[0]:
                    continue
                if (link.parent, int(above)) == key or (
                    link.parent == "shop_order" and int(above) in self._below(key, link.parent)
                ):
                    found.append(child[1])
        return found
