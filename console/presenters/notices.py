"""Notices, receivers and deliveries as lines of pages. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from approvals.notices.kinds import APP, CHOSEN, LOUD, WAYS, Channel, Kind
from approvals.notices.models import Delivery, Notice, Receiver
from approvals.notices.words import code_of, say
from console.presenters.states import Pill

ICONS = {
    Kind.TICKET_APPROVED: ("ok", "ok"),
    Kind.RUN_DONE: ("ok", "ok"),
    Kind.TICKET_REJECTED: ("bad", "bad"),
    Kind.RUN_FAILED: ("bad", "bad"),
    Kind.BREAK_GLASS: ("bad", "warn"),
    Kind.AFTER_REVIEW_DUE: ("warn", "warn"),
    Kind.RUN_WAITING: ("warn", "pause"),
    Kind.TICKET_EXPIRING: ("warn", "time"),
    Kind.TICKET_REOPENED: ("warn", "drift"),
    Kind.ESCALATION: ("warn", "warn"),
}
STATES = {
    Delivery.State.WAITING: ("acc", "time"),
    Delivery.State.SENT: ("ok", "ok"),
    Delivery.State.DEAD: ("bad", "bad"),
    Delivery.State.DROPPED: ("", "x"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRow:
    """One line of the inbox."""

    key: int
    subject: str
    text: str
    kind: str
    tone: str
    icon: str
    at: datetime
    unread: bool
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A box of the preferences: whether a kind takes this way."""

    name: str
    label: str
    on: bool
    fixed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A kind with its boxes."""

    name: str
    label: str
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """One delivery: what, to whom, how it stands."""

    key: int
    subject: str
    to: str
    way: str
    pill: Pill
    attempts: int
    problem: str
    at: datetime
    next_at: datetime | None
    again: bool


def notice_row(notice: Notice, names: Mapping[int, str]) -> NoticeRow:
    """A notice in the reader's language."""
    message = notice.message
    said = say(message)
    tone, icon = ICONS.get(Kind(message.kind), ("", "info"))
    return NoticeRow(
        key=notice.pk,
        subject=said.subject,
        text=said.text,
        kind=message.get_kind_display(),
        tone=tone,
        icon=icon,
        at=message.created_at,
        unread=notice.read_at is None,
        by=names.get(message.by_person_id or 0, ""),
    )


def way_labels() -> dict[str, str]:
    """Ways by name, in the order of the page."""
    return {APP: _("Inbox"), Channel.EMAIL.value: _("E-mail"), Channel.CHAT.value: _("Chat")}


def choices(chosen: Mapping[str, frozenset[str]]) -> list[Choice]:
    """All kinds with their boxes."""
    labels = way_labels()
    return [
        Choice(
            name=kind.value,
            label=str(kind.label),
            ways=tuple(
                Way(name=way, label=labels[way], on=way in chosen[kind.value], fixed=way == APP and kind in LOUD)
                for way in WAYS
            ),
        )
        for kind in CHOSEN
    ]


def receiver_pill(receiver: Receiver) -> Pill:
    """Whether it is told anything."""
    return Pill(_("told"), "ok", "ok") if receiver.disabled_at is None else Pill(_("switched off"), "", "x")


def kinds_of(receiver: Receiver) -> str:
    """What a receiver is told, in words."""
    known = {kind.value: str(kind.label) for kind in CHOSEN}
    return ", ".join(known.get(kind, kind) for kind in receiver.kinds) or _("everything")


def delivery_row(delivery: Delivery, names: Mapping[int, str]) -> DeliveryRow:
    """A delivery in the reader's language; the title of a ticket stays behind its link."""
    tone, icon = STATES[Delivery.State(delivery.state)]
    receiver = delivery.receiver
    return DeliveryRow(
        key=delivery.pk,
        subject=f"{code_of(delivery.message)}: {delivery.message.get_kind_display()}",
        to=receiver.name if receiver is not None else names.get(delivery.person_id or 0, ""),
        way=delivery.get_channel_display(),
        pill=Pill(delivery.get_state_display(), tone, icon),
        attempts=delivery.attempts,
        problem=problem(delivery.error),
        at=delivery.message.created_at,
        next_at=delivery.next_at if delivery.state == Delivery.State.WAITING else None,
        again=delivery.state in (Delivery.State.DEAD, Delivery.State.DROPPED),
    )


def problem(code: str) -> str:
    """Why the last attempt failed."""
    if code.startswith(("http_", "smtp_")):
        return _("it answered %(status)s") % {"status": code.partition("_")[2]}
    words: dict[str, Any] = {
        "": "",
        "gone": _("it wants this no more (410)"),
        "redirect": _("it sends elsewhere, which is not followed"),
        "address_refused": _("its address may not be reached"),
        "name_unknown": _("its name is unknown"),
        "certificate": _("its certificate is not trusted"),
        "timeout": _("it took too long"),
        "no_answer": _("nobody answers"),
        "interrupted": _("each attempt was interrupted"),
        "seal_broken": _("its secret cannot be opened any more: add it anew"),
        "chat_error": _("the chat program failed"),
        "chat_refused": _("the chat refused it"),
        "address_unknown": _("the mail server does not know the address"),
        "switched_off": _("the receiver is switched off"),
        "person_gone": _("the person has no login any more"),
        "no_address": _("there is no address"),
    }
    return str(words.get(code, code))
