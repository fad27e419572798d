"""The rules a tenant begins with: the thresholds of each table decide, one other person, two above 10,000 rows."""

from __future__ import annotations

from typing import Any

SHIPPED: list[dict[str, Any]] = [
    {"name": "Small changes", "stages": []},
    {"name": "Over the table's threshold", "rows_over": "threshold", "stages": [{"group": "approver", "need": 1}]},
    {
        "name": "More than 10,000 rows in all",
        "rows_over": "threshold",
        "total_over": 10_000,
        "stages": [{"group": "approver", "need": 2}],
    },
]
