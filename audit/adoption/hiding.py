"""Hiding soft-deleted rows from the other program, by row level security; off unless the owner asks for it.

The policies bind every login but the table's owner; with `owner_too` (FORCE) the owner as well, whose pg_dump
then needs --enable-row-security. COPY FROM is not possible for the logins bound.
"""

from __future__ import annotations

from typing import Any

from audit.adoption import catalog
from audit.adoption.ledger import Ledger
from audit.names import QualifiedName, place
from foundation.errors import Conflict


class PoliciesInUse(Conflict):
    """%(table)s has row level security of its own; its policies and Custody's would mix. Adopt it without --hide."""

    code = "policies_in_use"


def hide(cursor: Any, mine: Ledger, table: QualifiedName, *, owner_too: bool) -> None:
    """Live rows for everybody, all rows for Custody; on the table and its partitions."""
    for member, _ in catalog.members(cursor, table):
        where = place(member)
        if mine.has("policy", where):
            continue
        cursor.execute("SELECT relrowsecurity FROM pg_class WHERE oid = %s::regclass", [where])
        if cursor.fetchone()[0]:
            raise PoliciesInUse(table=".".join(member))
        cursor.execute(f"CREATE POLICY custody_living ON {where} USING (NOT is_deleted) WITH CHECK (true)")
        cursor.execute(
            f"CREATE POLICY custody_every ON {where} TO custody_app, custody_owner USING (true) WITH CHECK (true)"
        )
        force = ", FORCE ROW LEVEL SECURITY" if owner_too else ""
        cursor.execute(f"ALTER TABLE ONLY {where} ENABLE ROW LEVEL SECURITY{force}")
        mine.add("policy", where)


def show(cursor: Any, mine: Ledger, members: set[QualifiedName]) -> None:
    """The reverse of `hide`."""
    for where in mine.names("policy"):
        if where in {place(member) for member in members}:
            cursor.execute(f"DROP POLICY IF EXISTS custody_living ON {where}")
            cursor.execute(f"DROP POLICY IF EXISTS custody_every ON {where}")
            cursor.execute(f"ALTER TABLE ONLY {where} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")
