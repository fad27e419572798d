"""How much there is of everything, per scale and tenant.

Scales are prefixes of each other: row n of a tenant is the same in each, so a larger scale only adds rows.
"""

from __future__ import annotations

from dataclasses import dataclass

TENANTS = (
    (1, "Northwind Trading", "northwind"),
    (2, "Müller & Söhne GmbH", "mueller"),
    (3, "东方商贸有限公司", "dongfang"),
    (4, "مؤسسة النخيل", "nakheel"),
    (5, "Кофейня «Север»", "sever"),
)
ROWS_BEFORE_FIRST_GROWTH = {1: 1_200}
OTHERS_BEFORE_FIRST_GROWTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Rows of one tenant; order items follow from the orders."""

    customers: int
    orders: int
    tags: int
    logs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A named amount of data."""

    name: str
    first: Volume
    others: Volume

    def volume(self, tenant: int) -> Volume:
        """The first tenant is the large one."""
        return self.first if tenant == 1 else self.others


def base(tenant: int) -> int:
    """Customers that every scale has; orders, tags and logs spread over these first."""
    return ROWS_BEFORE_FIRST_GROWTH.get(tenant, OTHERS_BEFORE_FIRST_GROWTH)


_FEW = Volume(customers=100, orders=400, tags=200, logs=100)
SCALES = {
    scale.name: scale
    for scale in (
        Scale(name="small", first=Volume(customers=1_200, orders=8_000, tags=2_400, logs=1_500), others=_FEW),
        Scale(
            name="medium",
            first=Volume(customers=40_000, orders=200_000, tags=150_000, logs=150_000),
            others=Volume(customers=2_000, orders=9_000, tags=8_000, logs=8_000),
        ),
        Scale(
            name="accident",
            first=Volume(customers=109_000, orders=8_000, tags=3_270_000, logs=1_500),
            others=_FEW,
        ),
    )
}
