"""Status codes of refusals. Only the console knows them; pages and API share this one table."""

from __future__ import annotations

from changes.errors import EmptySelection, WholeTable
from foundation.errors import Conflict, CustodyError, Denied, Invalid, NotFound, Unavailable

# The first entry that fits decides, so single errors stand before their family.
STATUS: tuple[tuple[type[CustodyError], int], ...] = (
    (EmptySelection, 422),  # readable, but there is nothing it could be done to
    (WholeTable, 422),  # readable, but never done
    (Denied, 403),
    (Invalid, 400),
    (NotFound, 404),
    (Conflict, 409),
    (Unavailable, 503),
)


def status_of(error: CustodyError | type[CustodyError]) -> int:
    """The HTTP status of an error or of a class of errors. An error may name its own as `status`."""
    kind = error if isinstance(error, type) else type(error)
    own = getattr(kind, "status", None)
    if own is not None:
        return int(own)
    return next((status for family, status in STATUS if issubclass(kind, family)), 400)
