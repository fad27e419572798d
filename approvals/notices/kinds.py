"""What people are told about, and by which ways unless they choose others. Pure, but for the translations."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Kind(TextChoices):
    TICKET_PENDING = "ticket_pending", _("A ticket waits for a decision")
    TICKET_VOTED = "ticket_voted", _("Somebody has approved, more approvals are needed")
    TICKET_APPROVED = "ticket_approved", _("A ticket is approved")
    TICKET_REJECTED = "ticket_rejected", _("A ticket is rejected")
    TICKET_REOPENED = "ticket_reopened", _("A ticket is back to voting")
    TICKET_WITHDRAWN = "ticket_withdrawn", _("A ticket is withdrawn")
    TICKET_EXPIRING = "ticket_expiring", _("A ticket expires soon")
    TICKET_EXPIRED = "ticket_expired", _("A ticket has expired")
    RUN_DONE = "run_done", _("A run has ended")
    RUN_STOPPED = "run_stopped", _("A run was stopped")
    RUN_FAILED = "run_failed", _("A run has failed")
    RUN_WAITING = "run_waiting", _("A run waits for a person")
    MENTIONED = "mentioned", _("Somebody mentions me")
    WATCHED_MOVED = "watched_moved", _("A ticket I watch has moved")
    REMINDER = "reminder", _("A reminder of a ticket that waits")
    ESCALATION = "escalation", _("A ticket is escalated")
    DELEGATED = "delegated", _("A decision is delegated to me")
    BREAK_GLASS = "break_glass", _("Somebody breaks glass")
    AFTER_REVIEW_DUE = "after_review_due", _("A broken glass waits for its review")
    RULE_CHANGED = "rule_changed", _("A rule has changed")
    TEST = "test", _("A test")


class Channel(TextChoices):
    """Ways a message goes out besides the inbox."""

    EMAIL = "email", _("e-mail")
    CHAT = "chat", _("chat")
    WEBHOOK = "webhook", _("webhook")


APP = "app"
WAYS = (APP, Channel.EMAIL.value, Channel.CHAT.value)
# Nobody turns these off in the inbox, and quiet hours do not hold them back.
LOUD = frozenset({Kind.BREAK_GLASS, Kind.AFTER_REVIEW_DUE})
# A test goes to one receiver, and is no kind to choose.
CHOSEN = tuple(kind for kind in Kind if kind != Kind.TEST)
# News that asks for nothing stays in the inbox, unless somebody wants it elsewhere too.
_INBOX_ONLY = frozenset({Kind.TICKET_VOTED, Kind.TICKET_WITHDRAWN, Kind.WATCHED_MOVED, Kind.RULE_CHANGED})


def ways(kind: str) -> frozenset[str]:
    """The ways of somebody who has chosen nothing."""
    return frozenset({APP} if kind in _INBOX_ONLY else WAYS)


# Facts a message may carry, each a number or a short code: whatever else there is to say stands behind the link.
FACTS = {
    "rows": int,
    "have": int,
    "need": int,
    "round": int,
    "applied": int,
    "skipped": int,
    "hours": int,
    "minutes": int,
    "rule": int,
    "comment": int,
    "why": str,
    "state": str,
}
CODE_SIGNS = 40
