"""The shop as the oracle knows it: tables, links, unique values, thresholds. Written down by hand, not read from the product."""

from __future__ import annotations

from dataclasses import dataclass

# table, id
Key = tuple[str, int]
# column -> value as PostgreSQL writes it: tells -0 from 0 and 1.0 from 1.00
Row = dict[str, str | None]

SOFT = ("is_deleted", "deleted_at", "retention_policy", "status")
# Written by every save, so never a conflict.
QUIET = frozenset({"updated_at"})


@dataclass(frozen=True, slots=True)
class Link:
    """A foreign key: column, table it points to, what a delete of the parent does."""

    column: str
    parent: str
    rule: str


@dataclass(frozen=True, slots=True)
class Table:
    """One governed table; `unique` is a column that no two live rows share."""

    name: str
    entity: str
    history: str
    links: tuple[Link, ...]
    threshold: int
    retention: str = "standard"
    unique: str = ""

    def relation(self, link: Link) -> str:
        """How `cascade_also` calls a link."""
        return f"{self.entity}.{link.column.removesuffix('_id')}"


TABLES = (
    Table(
        "shop_customer",
        "shop.customer",
        "shop_historicalcustomer",
        (Link("referred_by_id", "shop_customer", "clear"),),
        6,
        "gdpr_30d",
        "email",
    ),
    Table(
        "shop_order",
        "shop.order",
        "shop_historicalorder",
        (Link("customer_id", "shop_customer", "protect"),),
        4,
        "tax_10y",
        "number",
    ),
    Table(
        "shop_orderitem",
        "shop.orderitem",
        "shop_historicalorderitem",
        (Link("order_id", "shop_order", "cascade"),),
        4,
    ),
    Table(
        "shop_usertag",
        "shop.usertag",
        "shop_historicalusertag",
        (Link("customer_id", "shop_customer", "cascade"),),
        6,
    ),
    Table(
        "shop_behaviourlog",
        "shop.behaviourlog",
        "shop_historicalbehaviourlog",
        (Link("customer_id", "shop_customer", "clear"),),
        6,
        "logs_90d",
    ),
)
BY_NAME = {table.name: table for table in TABLES}
BY_ENTITY = {table.entity: table for table in TABLES}


def alive(row: Row | None) -> bool:
    """The row is there and not in the recycle bin."""
    return row is not None and row["is_deleted"] == "false"


def parent_of(row: Row, link: Link) -> Key | None:
    """The row a link points to."""
    value = row[link.column]
    return None if value is None else (link.parent, int(value))
