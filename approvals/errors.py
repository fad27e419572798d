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


class NotEntitled(Denied):
    """Ticket %(ticket_id)s waits for %(groups)s now, and this login is not among them."""

    code = "not_entitled"


class RuleAuthor(Denied):
    """You wrote the rules that ticket %(ticket_id)s is decided by, so someone else must decide."""

    code = "rule_author"


class VotesVoid(Conflict):
    """Change C-%(change_id)s was not started: who agreed may no longer decide (%(names)s). Ticket T-%(ticket_id)s went back to voting."""

    code = "votes_void"


class BadRule(Invalid):
    """%(field)s: give %(hint)s."""

    code = "unreadable_rule"


class RulesConflict(Invalid):
    """“%(first)s” and “%(second)s” both fit some changes of %(entity)s and ask for different things. Narrow one of them until it lies inside the other, or beside it."""

    code = "rules_conflict"


class AmendmentNotFound(NotFound):
    """There is no amendment %(amendment_id)s."""

    code = "amendment_not_found"


class AmendmentNotOpen(Conflict):
    """Amendment %(amendment_id)s is already decided, withdrawn or expired. Nothing was changed."""

    code = "amendment_not_open"


class OwnAmendment(Denied):
    """You proposed this, so someone else must agree."""

    code = "own_amendment"


class AmendmentSubject(Denied):
    """This is about you, so someone else must agree."""

    code = "amendment_subject"


class UnknownKind(Invalid):
    """“%(value)s” cannot be amended. Use rules, role, group or person."""

    code = "unknown_kind"


class BadAmendment(Invalid):
    """%(field)s: give %(hint)s."""

    code = "bad_amendment"


class NothingAmended(Invalid):
    """That is how it is already. Nothing was proposed."""

    code = "nothing_amended"


class RowsInAnotherTicket(Conflict):
    """%(other)s is open and holds rows of %(entity)s that you ask for (the first is %(key)s). Have it decided or withdrawn first, or leave these rows out."""

    code = "rows_in_another_ticket"


class AskedAtOnce(Conflict):
    """Others keep asking for rows of the same tables at this very moment. Nothing was frozen; ask again."""

    code = "asked_at_once"


class TicketNotSentBack(Conflict):
    """Ticket %(ticket_id)s is %(state)s. Only what was sent back can be edited and asked for again; else withdraw it and ask anew."""

    code = "ticket_not_sent_back"


class ContributorVotes(Denied):
    """You had a hand in what this ticket asks for, so someone else must decide."""

    code = "contributor_votes"


class SendingBackNeedsReason(Invalid):
    """Say what has to change: whoever asked will read it."""

    code = "sending_back_needs_reason"


class CommentNotFound(NotFound):
    """There is no comment %(comment_id)s."""

    code = "comment_not_found"


class NothingSaid(Invalid):
    """Write something, in at most %(most)s characters."""

    code = "nothing_said"


class CommentNotYours(Denied):
    """Only the person who wrote a comment can edit it."""

    code = "comment_not_yours"


class CommentStays(Conflict):
    """A comment can be edited for five minutes; after that it stays. Write another one."""

    code = "comment_stays"
