"""Checks: what a running change covers is asked by the functions that were written for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.checks import CheckMessage
from django.db import connections

from audit import guard_checks

SQL = Path(__file__).resolve().parent / "sql"


def coverage(app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """The functions behind the guard that know changes."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT to_regclass('custody.write_bucket') IS NOT NULL")
            if cursor.fetchone()[0]:
                found += guard_checks.functions(cursor, SQL / "coverage_v1.sql", ("only_columns",))
                found += guard_checks.functions(cursor, SQL / "coverage_v2.sql", ("coverage",))
                found += guard_checks.functions(cursor, SQL / "guards_v6.sql", ("hold_change",))
                found += guard_checks.functions(cursor, SQL / "holds_v1.sql", ("is_held", "hold_step", "refuse_held"))
                found += guard_checks.functions(cursor, SQL / "purge_v2.sql", ("remove_rows",))
    return found
