"""Absolute addresses of the console's pages, for what leaves it. The pages' own routes are the console's affair."""

from __future__ import annotations

from django.conf import settings

from approvals.notices.models import Message


def path_of(message: Message) -> str:
    """The page that shows what the message is about."""
    if message.ticket_id is not None:
        return f"/admin/tickets/{message.ticket_id}/"
    if message.change_id is not None:
        return f"/admin/changes/{message.change_id}/"
    return "/admin/notices/"


def link_of(message: Message) -> str:
    """The same with the address of the console in front."""
    return f"{settings.CUSTODY_URL}{path_of(message)}"
