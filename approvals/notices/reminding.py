"""Telling approvers, once per round, that a ticket expires soon."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat, Now

from access.models import Tenant
from access.policy import APPROVER
from approvals.models import Ticket
from approvals.notices.kinds import Kind
from approvals.notices.models import Message
from approvals.notices.telling import tell
from foundation.actor import Actor
from foundation.context import acting
from foundation.postgres.transactions import durable


def remind_due() -> int:
    """Tell of tickets that expire within CUSTODY_EXPIRY_NOTICE_HOURS, for all tenants; return of how many."""
    told = 0
    for tenant_id in Tenant.objects.values_list("pk", flat=True):
        with acting(Actor.service("scheduler", tenant_id=tenant_id), channel="task"):
            told += sum(_remind(ticket) for ticket in _due())
    return told


def _due() -> QuerySet[Ticket]:
    soon = Now() + timedelta(hours=settings.CUSTODY_EXPIRY_NOTICE_HOURS)
    text = TextField()
    parts = (Value("expiring:"), Cast(OuterRef("pk"), text), Value(":"), Cast(OuterRef("round"), text))
    name = Concat(*parts, output_field=text)
    pending = Ticket.objects.filter(state=Ticket.State.PENDING, expires_at__gt=Now(), expires_at__lte=soon)
    return pending.exclude(Exists(Message.objects.filter(once=name))).select_related("change").order_by("pk")[:500]


def _remind(ticket: Ticket) -> int:
    with durable():
        voted = ticket.votes.filter(round=ticket.round).values_list("person_id", flat=True)
        message = tell(
            Kind.TICKET_EXPIRING,
            ticket=ticket,
            group=APPROVER,
            without=(ticket.requester_person_id, *voted),
            facts={"hours": settings.CUSTODY_EXPIRY_NOTICE_HOURS, "round": ticket.round},
            once=f"expiring:{ticket.pk}:{ticket.round}",
        )
    return int(message is not None)
