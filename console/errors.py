"""Status codes of refusals. Only the console knows them."""

from __future__ import annotations

from foundation.errors import Conflict, CustodyError, Denied, Invalid, NotFound, Unavailable

STATUS: tuple[tuple[type[CustodyError], int], ...] = (
    (Denied, 403),
    (Invalid, 422),
    (NotFound, 404),
    (Conflict, 409),
    (Unavailable, 503),
)


def status_of(error: CustodyError) -> int:
    """The HTTP status of a refusal's family."""
    return next((status for family, status in STATUS if isinstance(error, family)), 400)
