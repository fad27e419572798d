"""Errors of legal holds."""

from __future__ import annotations

from foundation.errors import Conflict, Denied, Invalid, NotFound


class HoldNotFound(NotFound):
    """There is no legal hold %(hold_id)s."""

    code = "hold_not_found"


class HoldNotOpen(Conflict):
    """Legal hold %(hold_id)s was lifted meanwhile. Nothing was changed."""

    code = "hold_not_open"


class OwnHold(Denied):
    """You placed this hold, so someone else must lift it."""

    code = "own_hold"


class NotByAPerson(Denied):
    """Only a person can place or lift a legal hold, and this login belongs to none."""

    code = "hold_needs_a_person"


class TextMissing(Invalid):
    """A legal hold needs this text, at least %(least)s characters of it."""

    code = "hold_text_missing"


class BadScope(Invalid):
    """“%(value)s” is nothing that can be held. Use one of: %(known)s."""

    code = "bad_hold_scope"
