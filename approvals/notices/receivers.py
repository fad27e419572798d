"""Receivers of a tenant: who may add one, switch it off, renew its secret, try it, send again. Each act is an event."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, connection
from django.db.models.functions import Now

from access.enforcement import enforce
from approvals.notices import chat, signing, webhooks
from approvals.notices.errors import (
    DeliveryNotEnded,
    DeliveryNotFound,
    NoSecret,
    ReceiverNameTaken,
    ReceiverNotFound,
    ReceiverUnchanged,
    UnknownChannel,
    UnknownKind,
)
from approvals.notices.kinds import CHOSEN, Channel, Kind
from approvals.notices.models import Delivery, Message, Receiver
from foundation import sealing
from foundation.actor import Actor
from foundation.postgres.transactions import durable

NAME_SIGNS = 80
TABLE = "approvals_receiver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A receiver to be: webhook or chat, a name, an address, and the kinds it is told of (none: all)."""

    channel: str
    name: str
    address: str
    kinds: Iterable[str] = ()


def get(receiver_id: int) -> Receiver:
    """A receiver of the current tenant. Raises ReceiverNotFound."""
    found = Receiver.objects.filter(pk=receiver_id).first()
    if found is None:
        raise ReceiverNotFound(receiver_id=receiver_id)
    return found


def add(wish: Wish, *, actor: Actor) -> tuple[Receiver, str]:
    """Add a receiver; it is told of everything from now on. Returns it with its secret, which nobody sees again.

    Raises UnknownChannel, UnknownKind, ReceiverNameTaken, WebhookAddressUnusable, ChatAddressUnusable, AddressRefused.
    """
    enforce(actor, "receiver.manage", "new")
    name, address = " ".join(wish.name.replace("\x00", "").split()), wish.address.strip()
    kinds = sorted(set(wish.kinds))
    unknown = [kind for kind in kinds if kind not in CHOSEN]
    if unknown:
        raise UnknownKind(field="kinds", value=str(unknown[0])[:40])
    if not 0 < len(name) <= NAME_SIGNS:
        raise ReceiverNameTaken(field="name")
    key = uuid.uuid4()
    hint = _check(wish.channel, address)
    secret = signing.fresh_secret() if wish.channel == Channel.WEBHOOK else ""
    made = Receiver(
        tenant_id=actor.tenant,
        uuid=key,
        channel=wish.channel,
        name=name,
        hint=hint,
        kinds=kinds,
        address=sealing.seal(address, about=_about(key, "address")),
        secret=sealing.seal(secret, about=_about(key, "secret")) if secret else None,
        made_by=actor.name,
    )
    try:
        with durable():
            made.save(force_insert=True)
            _note("receiver.added", receiver=made.pk, name=name, channel=wish.channel, address=hint, kinds=kinds)
    except IntegrityError as error:
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") == "approvals_receiver_name":
            raise ReceiverNameTaken(field="name") from error
        raise
    made.refresh_from_db()
    return made, secret


def switch(receiver_id: int, *, on: bool, actor: Actor) -> Receiver:
    """Tell a receiver again, or no longer. Raises ReceiverNotFound, ReceiverUnchanged."""
    found = get(receiver_id)
    enforce(actor, "receiver.manage", f"R-{found.pk}")
    with durable():
        moved = Receiver.objects.filter(pk=found.pk, disabled_at__isnull=not on).update(
            disabled_at=None if on else Now()
        )
        if not moved:
            raise ReceiverUnchanged(receiver_id=found.pk)
        _note("receiver.switched_on" if on else "receiver.switched_off", receiver=found.pk, name=found.name)
    return get(receiver_id)


def renew_secret(receiver_id: int, *, actor: Actor) -> tuple[Receiver, str]:
    """A new secret, valid at once; the old one signs nothing more. Raises ReceiverNotFound, NoSecret."""
    found = get(receiver_id)
    enforce(actor, "receiver.manage", f"R-{found.pk}")
    if found.channel != Channel.WEBHOOK:
        raise NoSecret(receiver_id=found.pk)
    secret = signing.fresh_secret()
    with durable():
        Receiver.objects.filter(pk=found.pk).update(secret=sealing.seal(secret, about=_about(found.uuid, "secret")))
        _note("receiver.secret_renewed", receiver=found.pk, name=found.name)
    return get(receiver_id), secret


def try_out(receiver_id: int, *, actor: Actor) -> Delivery:
    """Send a test to this receiver alone, also one that is switched on for other kinds. Raises ReceiverNotFound."""
    found = get(receiver_id)
    enforce(actor, "receiver.manage", f"R-{found.pk}")
    with durable():
        message = Message.objects.create(tenant_id=found.tenant_id, kind=Kind.TEST, by_person_id=actor.person_id)
        delivery = Delivery.objects.create(
            tenant_id=found.tenant_id, message=message, receiver=found, channel=found.channel
        )
        _note("receiver.tried", receiver=found.pk, name=found.name)
    return delivery


def send_again(delivery_id: int, *, actor: Actor) -> Delivery:
    """Begin anew with a delivery that was given up; its id stays. Raises DeliveryNotFound, DeliveryNotEnded."""
    found = Delivery.objects.filter(pk=delivery_id).first()
    if found is None:
        raise DeliveryNotFound(delivery_id=delivery_id)
    enforce(actor, "receiver.manage", f"D-{found.pk}")
    with durable():
        moved = Delivery.objects.filter(pk=found.pk, state__in=(Delivery.State.DEAD, Delivery.State.DROPPED)).update(
            state=Delivery.State.WAITING, attempts=0, next_at=Now(), ended_at=None
        )
        if not moved:
            raise DeliveryNotEnded(delivery_id=found.pk)
        _note("delivery.sent_again", delivery=found.pk, receiver=found.receiver_id)
    found.refresh_from_db()
    return found


def address_of(receiver: Receiver) -> str:
    """The sealed address, for the deliverer. Raises SealBroken."""
    return sealing.unseal(receiver.address, about=_about(receiver.uuid, "address"))


def secret_of(receiver: Receiver) -> str:
    """The sealed secret, for the deliverer. Raises SealBroken."""
    return sealing.unseal(receiver.secret or b"", about=_about(receiver.uuid, "secret"))


def _check(channel: str, address: str) -> str:
    if channel == Channel.WEBHOOK:
        return webhooks.check(address)
    if channel == Channel.CHAT:
        return chat.check(address)
    raise UnknownChannel(field="channel", value=channel[:40])


def _about(key: uuid.UUID, part: str) -> str:
    return f"receiver {key} {part}"


def _note(act: str, **facts: Any) -> None:
    """One event in the current transaction, under the current context."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT custody.append_event(%s, %s, %s, 0, %s::jsonb)",
            [act, "approvals.receiver", TABLE, json.dumps(facts)],
        )
