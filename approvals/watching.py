"""Who wants to be told about a ticket besides those it needs."""

from __future__ import annotations

from access.enforcement import enforce
from approvals import tickets
from approvals.errors import NotAPerson
from approvals.models import Ticket, Watcher
from foundation.actor import Actor
from foundation.postgres.transactions import durable


def watch(ticket_id: int, *, actor: Actor) -> Ticket:
    """Be told about a ticket from now on; harmless to repeat. Raises TicketNotFound, NotAllowed, NotAPerson."""
    ticket = tickets.get(ticket_id)
    enforce(actor, "ticket.watch", f"T-{ticket.pk}")
    if actor.person_id is None:
        raise NotAPerson()
    with durable():
        begin(ticket, actor.person_id, actor.name, Watcher.Why.ASKED, again=True)
    return ticket


def unwatch(ticket_id: int, *, actor: Actor) -> Ticket:
    """Not to be told any more, also when somebody mentions one; harmless to repeat. Raises as `watch`."""
    ticket = tickets.get(ticket_id)
    enforce(actor, "ticket.watch", f"T-{ticket.pk}")
    if actor.person_id is None:
        raise NotAPerson()
    with durable():
        begin(ticket, actor.person_id, actor.name, Watcher.Why.ASKED)
        Watcher.objects.filter(ticket_id=ticket.pk, person_id=actor.person_id).update(watching=False)
    return ticket


def begin(ticket: Ticket, person_id: int, name: str, why: Watcher.Why, *, again: bool = False) -> None:
    """Make a person a watcher; `again` also one who had stopped. The caller holds the transaction."""
    line = Watcher(tenant_id=ticket.tenant_id, ticket=ticket, person_id=person_id, name=name, why=why)
    Watcher.objects.bulk_create([line], ignore_conflicts=True)
    if again:
        Watcher.objects.filter(ticket_id=ticket.pk, person_id=person_id, watching=False).update(watching=True, why=why)


def persons(ticket: Ticket) -> dict[int, str]:
    """Who watches, by person."""
    return dict(Watcher.objects.filter(ticket_id=ticket.pk, watching=True).values_list("person_id", "name"))
