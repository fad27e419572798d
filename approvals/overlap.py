"""Two open tickets never hold the same row: the database refuses the second, and this says which one was first.

The trigger `custody_rows_are_free` (`approvals/sql/open_rows_v1.sql`) does it in the transaction that freezes.
"""

from __future__ import annotations

import json
from typing import Any

from django.db import IntegrityError, OperationalError

from approvals.errors import RowsInAnotherTicket
from approvals.models import Ticket
from audit import registry

CONSTRAINT = "approvals_ticket_rows_are_free"
SERIALIZATION_FAILURE = "40001"


def refusal(error: IntegrityError) -> RowsInAnotherTicket | None:
    """The sentence of a refused ticket, None for another error. To be asked outside of the transaction that failed."""
    said: Any = getattr(error.__cause__, "diag", None)
    if getattr(said, "constraint_name", None) != CONSTRAINT:
        return None
    held = json.loads(said.message_detail)
    ticket = Ticket.objects.filter(change_id=held["change"]).first()
    label = registry.entity(held["entity"]).governance.label
    key = str(held["key"]).strip("[]").replace('"', "")
    return RowsInAnotherTicket(other=f"T-{ticket.pk}" if ticket else f"C-{held['change']}", entity=str(label), key=key)


def came_late(error: OperationalError) -> bool:
    """Whether another ticket on the same tables opened while this one was being frozen."""
    return getattr(error.__cause__, "sqlstate", "") == SERIALIZATION_FAILURE
