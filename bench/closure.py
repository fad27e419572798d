"""Planning, freezing and the digest of rows with two levels below them, against the governed delete of the same rows."""

from __future__ import annotations

from typing import Any

from bench import tables
from bench.measuring import Figure, at_most
from bench.runs import ASKED, RUN, People, Runs
from bench.stage import Stage

# Of a hundred rows two are customers, twenty their orders, the rest the orders' lines.
CUSTOMERS, ORDERS = 2, 20
FILL = (
    "INSERT INTO shop_customer (id, tenant_id, name, email, phone, plan, preferences, labels, notes) "
    "SELECT g, 1, 'Customer ' || g, g || '@bench.example', '', 'trial', '{{}}', '{{}}', '' "
    "FROM generate_series(1, {customers}) g",
    "INSERT INTO shop_order (id, tenant_id, customer_id, number, placed_at, state, total, currency, note) "
    "SELECT g, 1, 1 + g % {customers}, 'B-' || g, now(), 'open', g % 1000, 'EUR', md5(g::text) "
    "FROM generate_series(1, {orders}) g",
    "INSERT INTO shop_orderitem (id, tenant_id, order_id, product, quantity, price) "
    "SELECT g, 1, 1 + g % {orders}, 'Product ' || g % 500, 1 + g % 5, g % 100 FROM generate_series(1, {items}) g",
)
WARM_ROWS = 20_000
TABLES = ("shop_customer", "shop_order", "shop_orderitem")


class Closure(Runs):
    """Deletes customers with their orders and the orders' lines."""

    def __init__(self, stage: Stage, people: People, rows: int) -> None:
        super().__init__(stage, people, "shop_customer", rows * CUSTOMERS // 100)
        self._orders = rows * ORDERS // 100
        self._items = rows - self._orders - self._rows

    def fresh(self, owner: Any) -> None:
        tables.empty(owner, TABLES)
        for statement in FILL:
            owner.execute(statement.format(customers=self._rows, orders=self._orders, items=self._items))
        for table in TABLES:
            owner.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
            owner.execute(f"VACUUM (FREEZE, ANALYZE) {table}")
        tables.forget_changes(owner)
        self._stage.checkpoint()

    def sizes(self) -> str:
        return f"{self._rows:,} customers, {self._orders:,} orders, {self._items:,} lines"

    def round(self) -> None:
        with self._stage.owner() as owner:
            self.fresh(owner)
        self.timed_run("delete", self.delete)

    def delete(self) -> Any:
        from approvals import gate
        from changes.models import Change

        outcome = gate.request(
            self._people.operator,
            entity="shop.customer",
            operation="delete",
            selection={"where": [{"field": "id", "op": "lte", "value": str(self._rows)}]},
            cascade_also=["shop.order.customer"],
            reason="A measured delete with two levels",
        )
        frozen = Change.objects.get(pk=outcome.change.pk).rows_total
        assert frozen == self._rows + self._orders + self._items, frozen
        return outcome


def freeze_vs_delete(stage: Stage, rows: int, rounds: int) -> Figure:
    """The request (plan, every row frozen, preflight, digest, ticket) against the run that follows it."""
    stage.start_worker()
    people = People()
    Closure(stage, people, min(rows, WARM_ROWS)).round()
    runs = Closure(stage, people, rows)
    for number in range(rounds):
        runs.round()
        print(f"    round {number + 1}: " + runs.last(), flush=True)
    note = f"{rows:,} rows: {runs.sizes()}"
    return at_most("freeze_vs_delete", 0.3, "delete" + ASKED, "delete" + RUN, runs.sides(), note)
