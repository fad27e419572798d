"""PostgreSQL transaction ids and snapshots as columns."""

from __future__ import annotations

from typing import Any

from django.db import models


class Xid8Field(models.Field):  # type: ignore[type-arg]
    """`xid8`: a 64-bit transaction id, written by the database (`pg_current_xact_id()`)."""

    description = "64-bit transaction id"

    def db_type(self, connection: Any) -> str:
        return "xid8"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else str(value)


class XidField(Xid8Field):
    """`xid`: the 32-bit transaction id in a row's `xmin`; it changes with every update of the row."""

    description = "32-bit transaction id"

    def db_type(self, connection: Any) -> str:
        return "xid"


class PgSnapshotField(models.Field):  # type: ignore[type-arg]
    """`pg_snapshot`: which transactions are visible, as text `xmin:xmax:in progress`."""

    description = "PostgreSQL snapshot"
    empty_strings_allowed = False

    def db_type(self, connection: Any) -> str:
        return "pg_snapshot"
