"""Errors of tickets and votes."""

from __future__ import annotations

from foundation.errors import Conflict, Denied, Invalid, NotFound


class TicketNotFound(NotFound):
    """There is no ticket %(ticket_id)s."""

    code = "ticket_not_found"


class TicketNotPending(Conflict):
    """Ticket %(ticket_id)s is already %(state)s. Nothing was changed."""

    code = "ticket_not_pending"


class SelfApproval(Denied):
    """You asked for this, so someone else must decide."""

    code = "self_approval"


class AlreadyVoted(Conflict):
    """You have already decided on ticket %(ticket_id)s. Each person has one vote."""

    code = "already_voted"


class DigestMoved(Conflict):
    """What you looked at is not what ticket %(ticket_id)s holds now. Look again before you decide."""

    code = "digest_moved"


class NotAPerson(Denied):
    """Only a person can decide, and this login belongs to none."""

    code = "not_a_person"


class NotYours(Denied):
    """Only the person who asked can withdraw ticket %(ticket_id)s."""

    code = "not_yours"


class UnknownDecision(Invalid):
    """“%(value)s” is no decision. Use approve or reject."""

    code = "unknown_decision"


class RejectionNeedsReason(Invalid):
    """Say why you reject this: whoever asked will read it."""

    code = "rejection_needs_reason"


class ExemptionNotFound(NotFound):
    """There is no exemption %(exemption_id)s."""

    code = "exemption_not_found"


class ExemptionNotOpen(Conflict):
    """Exemption %(exemption_id)s was agreed to, withdrawn or has expired meanwhile. Nothing was changed."""

    code = "exemption_not_open"


class LoginNotExemptible(Invalid):
    """“%(role)s” is no login that can be exempted: it must exist in the database, and be neither the console's own login nor the owner's."""

    code = "login_not_exemptible"


class WindowTooSmall(Invalid):
    """Within ten minutes at least as many rows must be allowed as in one transaction: %(rows)s."""

    code = "window_too_small"


class BadExpiry(Invalid):
    """An exemption expires at a time to come, within a year."""

    code = "bad_expiry"


class ReasonTooShort(Invalid):
    """Say why, in at least %(least)s characters. Whoever agrees reads it."""

    code = "reason_too_short"


class NotARowCount(Invalid):
    """Give a whole number of rows, at least one."""

    code = "not_a_row_count"


class BackToVoting(Conflict):
    """%(rows)s of the %(total)s frozen rows have changed since they were frozen, more than the %(limit)s that may. Ticket %(ticket_id)s is open again: whoever decides sees what has changed."""

    code = "back_to_voting"
