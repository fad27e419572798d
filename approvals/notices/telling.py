"""`tell`: one line beside an act, and everybody who should hears of it. Or nobody, when the act is rolled back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.transaction import TransactionManagementError

from approvals.notices import preferences, recipients
from approvals.notices.kinds import APP, CODE_SIGNS, FACTS, LOUD, Channel, Kind
from approvals.notices.models import Delivery, Message, Notice, Preference, Receiver
from approvals.notices.titles import own_title
from changes.models import Change
from foundation import context

if TYPE_CHECKING:
    from approvals.models import Ticket


def tell(
    kind: Kind | str,
    *,
    ticket: Ticket | None = None,
    change: Change | None = None,
    persons: Iterable[int | None] = (),
    group: str = "",
    without: Iterable[int | None] = (),
    facts: Mapping[str, int | str] | None = None,
    once: str | None = None,
) -> Message | None:
    """Tell `persons` and the members of `group`, but nobody of `without`; the tenant's receivers hear of it as well.

    The caller holds the transaction. `facts` are those of `kinds.FACTS`: numbers and short codes, never a row's value or
    somebody's text. With `once` the second call with the same words tells nothing and returns None.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("tell() belongs into the transaction of what it tells")
    work = context.current()
    about = change if change is not None else ticket.change if ticket is not None else None
    tenant_id = about.tenant_id if about is not None else work.tenant_id if work is not None else None
    if tenant_id is None:
        raise LookupError("tell() needs a ticket, a change, or an acting() block with a tenant")
    message = _write(
        Message(
            tenant_id=tenant_id,
            kind=Kind(kind),
            ticket_id=None if ticket is None else ticket.pk,
            change_id=None if about is None else about.pk,
            entity="" if about is None else about.entity,
            title="" if about is None else own_title(about),
            facts=_checked(about, facts or {}),
            by_person_id=None if work is None else work.actor.person_id,
            once=once,
        )
    )
    if message is not None:
        told = recipients.of_tenant(persons, tenant_id) | (recipients.of_group(group, tenant_id) if group else set())
        _spread(message, sorted(told - set(without)))
    return message


def _write(message: Message) -> Message | None:
    if message.once is None:
        message.save(force_insert=True)
        return message
    with connection.cursor() as cursor:  # two that come at once: the second waits for the first, and then knows
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))", [message.once, message.tenant_id])
    if Message.objects.filter(tenant_id=message.tenant_id, once=message.once).exists():
        return None
    message.save(force_insert=True)
    return message


def _checked(change: Change | None, facts: Mapping[str, int | str]) -> dict[str, Any]:
    """The facts and what every change says of itself. Raises TypeError for what no message may carry."""
    own: dict[str, Any] = {} if change is None else {"operation": change.operation, "rows": change.rows_total}
    for name, value in facts.items():
        kind = FACTS.get(name)
        if kind is None or type(value) is not kind or (isinstance(value, str) and not _is_code(value)):
            raise TypeError(f"a message cannot carry {name}={value!r}")
    return own | dict(facts)


def _is_code(text: str) -> bool:
    return len(text) <= CODE_SIGNS and text.replace("_", "").isalnum() and text.isascii()


def _spread(message: Message, persons: list[int]) -> None:
    """Notices and deliveries, in two statements however many there are."""
    chosen = {one.person_id: one for one in Preference.objects.filter(person_id__in=persons)}
    now = _now() if any(one.quiet_from for one in chosen.values()) else None
    notices, deliveries = [], []
    for person in persons:
        wants = chosen.get(person)
        ways = preferences.ways_of(wants, message.kind)
        if APP in ways:
            notices.append(Notice(tenant_id=message.tenant_id, message=message, person_id=person))
        after = {} if now is None or message.kind in LOUD else preferences.delayed(wants, now)
        deliveries += [
            Delivery(tenant_id=message.tenant_id, message=message, person_id=person, channel=way, **after)
            for way in (Channel.EMAIL, Channel.CHAT)
            if way in ways and preferences.reaches(wants, way)
        ]
    deliveries += [
        Delivery(tenant_id=message.tenant_id, message=message, receiver=receiver, channel=receiver.channel)
        for receiver in Receiver.objects.filter(disabled_at=None)
        if not receiver.kinds or message.kind in receiver.kinds
    ]
    Notice.objects.bulk_create(notices, batch_size=1_000)
    Delivery.objects.bulk_create(deliveries, batch_size=1_000)


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
