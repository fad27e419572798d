"""Comments beside a ticket: said, edited for five minutes with every wording kept, never removed. Mentions start a watch."""

from __future__ import annotations

import re
from typing import Any

from django.db import IntegrityError

from access.enforcement import enforce
from access.models import Account
from approvals import tickets, watching
from approvals.errors import CommentNotFound, CommentNotYours, CommentStays, NotAPerson, NothingSaid
from approvals.models import Comment, Ticket, Watcher
from changes import record
from foundation.actor import Actor
from foundation.postgres.transactions import durable

LONGEST = 4000
# Not within an address, and not with the full stop that ends the sentence.
MENTION = re.compile(r"(?<![\w@.+-])@([\w.+-]*\w)")


def comment(ticket_id: int, *, actor: Actor, text: str) -> Comment:
    """Say something beside a ticket, whatever its state; the writer and whoever is mentioned watch it from now on.

    Raises TicketNotFound, NotAllowed, NotAPerson, NothingSaid.
    """
    ticket = tickets.get(ticket_id)
    enforce(actor, "ticket.comment", f"T-{ticket.pk}")
    said = _clean(text)
    with durable():
        made = _write(ticket, actor, said)
        watching.begin(ticket, made.person_id, made.name, Watcher.Why.COMMENTED, again=True)
    return made


def edit(comment_id: int, *, actor: Actor, text: str) -> Comment:
    """Put one's own comment another way, within five minutes; what it said before stays to be seen.

    Raises CommentNotFound, CommentNotYours, CommentStays, NothingSaid.
    """
    first = Comment.objects.select_related("ticket__change").filter(pk=comment_id, edit_of__isnull=True).first()
    if first is None:
        raise CommentNotFound(comment_id=comment_id)
    enforce(actor, "ticket.comment", f"T-{first.ticket_id}")
    if first.person_id != actor.person_id:
        raise CommentNotYours(comment_id=comment_id)
    said = _clean(text)
    try:
        with durable():
            return _write(first.ticket, actor, said, edit_of=first)
    except IntegrityError as error:
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") == "approvals_comment_edit":
            raise CommentStays(comment_id=comment_id) from error
        raise


def _clean(text: str) -> str:
    said = text.replace("\x00", "").encode(errors="replace").decode().strip()
    if not said or len(said) > LONGEST:
        raise NothingSaid(field="text", most=LONGEST)
    return said


def _write(ticket: Ticket, actor: Actor, text: str, *, edit_of: Comment | None = None) -> Comment:
    if actor.person_id is None or actor.user_id is None:
        raise NotAPerson()
    named = mentioned(text, tenant_id=ticket.tenant_id)
    made = Comment.objects.create(
        tenant_id=ticket.tenant_id,
        ticket=ticket,
        edit_of=edit_of,
        person_id=actor.person_id,
        user_id=actor.user_id,
        name=actor.name,
        text=text,
        mentions=[[person_id, name] for person_id, name in named.items()],
    )
    made.refresh_from_db()
    for person_id, name in named.items():
        watching.begin(ticket, person_id, name, Watcher.Why.MENTIONED)
    facts: dict[str, Any] = {"ticket": ticket.pk, "comment": made.pk, "mentions": list(named)}
    if edit_of is not None:
        facts["edit_of"] = edit_of.pk
    record.note(ticket.change, "ticket.commented" if edit_of is None else "ticket.comment_edited", **facts)
    return made


def mentioned(text: str, *, tenant_id: int) -> dict[int, str]:
    """The persons of the tenant whom the text names by a login, with their names."""
    logins = set(MENTION.findall(text))
    found = Account.objects.filter(user__username__in=logins, tenant_id=tenant_id, user__is_active=True)
    return {account.person_id: account.person.name for account in found.select_related("person").order_by("pk")}
