"""From the outbox to the world: at least once, with an id that stays, by any number of deliverers at once.

A deliverer takes one delivery by moving its next attempt ahead, commits, sends without a transaction, and writes down
what came of it. Killed in between it leaves a delivery that somebody takes when the lease is over, and sends again.
The broker carries nothing: the beat wakes a deliverer, the rows say what there is to do.
"""

from __future__ import annotations

import random
import time
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import translation

from access.models import Tenant
from approvals.notices import chat, links, mail, preferences, receivers, recipients, webhooks
from approvals.notices.failures import Failed, Unwanted
from approvals.notices.kinds import Channel
from approvals.notices.models import Delivery
from approvals.notices.words import say
from foundation import sealing
from foundation.actor import Actor
from foundation.context import acting
from foundation.postgres.transactions import durable

# Longer than any attempt takes, so that only a dead deliverer's work is done twice.
LEASE = timedelta(seconds=120)
ATTEMPTS = 10
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=15), timedelta(hours=6)
CLAIM = """
UPDATE approvals_delivery SET attempts = attempts + 1, next_at = statement_timestamp() + make_interval(secs => %s)
 WHERE tenant_id = %s AND id = (
   SELECT id FROM approvals_delivery
    WHERE tenant_id = %s AND state = 'waiting' AND next_at <= statement_timestamp()
      AND NOT (channel || coalesce(receiver_id, person_id)::text = ANY(%s)) AND channel <> ALL(%s)
    ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id
"""


def deliver_due(*, budget_s: float = 20.0) -> int:
    """Send what is due, for all tenants, for about so many seconds; return how many have arrived."""
    until, sent = time.monotonic() + budget_s, 0
    for tenant_id in Tenant.objects.order_by("?").values_list("pk", flat=True):
        with acting(Actor.service("notifier", tenant_id=tenant_id), channel="task"):
            sent += _deliver_of(tenant_id, until)
    return sent


def _deliver_of(tenant_id: int, until: float) -> int:
    """An address that fails costs one attempt per round, and holds nobody else up; so does the mail server."""
    sent = 0
    resting: list[str] = []
    closed: list[str] = []
    while time.monotonic() < until:
        delivery = claim(tenant_id, resting, closed)
        if delivery is None:
            break
        if attempt(delivery):
            sent += 1
        elif delivery.channel == Channel.EMAIL and delivery.error == "no_answer":
            closed.append(delivery.channel)
        else:
            resting.append(f"{delivery.channel}{delivery.receiver_id or delivery.person_id}")
    return sent


def claim(tenant_id: int, resting: list[str] | None = None, closed: list[str] | None = None) -> Delivery | None:
    """Take the delivery that has waited longest; nobody else gets it until the lease is over."""
    with durable(), connection.cursor() as cursor:
        cursor.execute(CLAIM, [LEASE.total_seconds(), tenant_id, tenant_id, resting or [], closed or []])
        row = cursor.fetchone()
    if row is None:
        return None
    return Delivery.objects.select_related("message", "receiver").get(pk=row[0])


def attempt(delivery: Delivery) -> bool:
    """Send it once and write down what came of it. Return whether it has arrived."""
    if delivery.attempts > ATTEMPTS:  # each attempt took its deliverer with it
        _settle(delivery, Delivery.State.DEAD, "interrupted")
        return False
    try:
        _send(delivery)
    except Unwanted as unwanted:
        _settle(delivery, Delivery.State.DROPPED, unwanted.code)
        return False
    except sealing.SealBroken:
        _settle(delivery, Delivery.State.DEAD, "seal_broken")
        return False
    except Failed as failed:
        if failed.final or delivery.attempts >= ATTEMPTS:
            _settle(delivery, Delivery.State.DEAD, failed.code)
        else:
            _postpone(delivery, failed.code)
        return False
    return _settle(delivery, Delivery.State.SENT, "")


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts: twice as long each time, up to six hours."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * (1 << max(0, attempts - 1)))


def _send(delivery: Delivery) -> None:
    if delivery.receiver is not None:
        _to_receiver(delivery)
        return
    person_id = int(delivery.person_id or 0)
    chosen = preferences.of(person_id)
    address = recipients.address_of(person_id, delivery.tenant_id)
    if not recipients.of_tenant([person_id], delivery.tenant_id):
        raise Unwanted("person_gone")
    if delivery.channel == Channel.EMAIL:
        if not settings.CUSTODY_EMAIL or not address:
            raise Unwanted("no_address")
        with translation.override(_language(chosen.language if chosen else "")):
            mail.send(address, delivery)
    elif chosen is None or chosen.chat_address is None:
        raise Unwanted("no_address")
    else:
        room = sealing.unseal(chosen.chat_address, about=preferences.about(person_id))
        _to_room(delivery, room, chosen.language)


def _to_receiver(delivery: Delivery) -> None:
    receiver = delivery.receiver
    if receiver is None or receiver.disabled_at is not None:
        raise Unwanted("switched_off")
    address = receivers.address_of(receiver)
    if receiver.channel == Channel.WEBHOOK:
        webhooks.send(address, receivers.secret_of(receiver), delivery)
    else:
        _to_room(delivery, address, "")


def _to_room(delivery: Delivery, address: str, language: str) -> None:
    with translation.override(_language(language)):
        said = say(delivery.message)
    chat.send(address, title=said.subject, text=said.text, link=links.link_of(delivery.message))


def _language(chosen: str) -> str:
    return chosen or settings.LANGUAGE_CODE


def _mine(delivery: Delivery) -> Q:
    """The row as this deliverer took it: another one may have taken it since, if the lease was too short."""
    return Q(pk=delivery.pk, state=Delivery.State.WAITING, attempts=delivery.attempts)


def _settle(delivery: Delivery, state: Delivery.State, code: str) -> bool:
    delivery.state, delivery.error = state, code
    with durable():
        moved = Delivery.objects.filter(_mine(delivery)).update(state=state, error=code, ended_at=Now())
    return bool(moved) and state == Delivery.State.SENT


def _postpone(delivery: Delivery, code: str) -> None:
    delivery.error = code
    pause = pause_after(delivery.attempts) * random.uniform(1.0, 1.2)  # spreads load, guards nothing
    with durable():
        Delivery.objects.filter(_mine(delivery)).update(error=code, next_at=Now() + pause)
