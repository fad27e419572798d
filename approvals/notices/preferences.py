"""How one person wants to be told: ways per kind, a chat address of one's own, a language, quiet hours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings

from access.enforcement import enforce
from approvals.errors import NotAPerson
from approvals.notices import chat
from approvals.notices.errors import UnknownKind, UnknownLanguage, UnknownWay, UnknownZone, WrongQuietHours
from approvals.notices.kinds import APP, CHOSEN, LOUD, WAYS, Channel, ways
from approvals.notices.models import Preference
from foundation import sealing
from foundation.actor import Actor
from foundation.postgres.transactions import durable


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person chooses. `chat_address`: None leaves the stored one, "" takes it away."""

    ways: Mapping[str, Iterable[str]]
    language: str = ""
    chat_address: str | None = None
    quiet_from: str = ""
    quiet_to: str = ""
    zone: str = "UTC"


def of(person_id: int | None) -> Preference | None:
    """The stored choice of a person of the current tenant."""
    return None if person_id is None else Preference.objects.filter(person_id=person_id).first()


def ways_of(chosen: Preference | None, kind: str) -> frozenset[str]:
    """The ways this kind takes to this person."""
    usual = ways(kind)
    stored = None if chosen is None else chosen.ways.get(kind)
    found = usual if stored is None else frozenset(stored)
    return found | {APP} if kind in LOUD else found


def reaches(chosen: Preference | None, way: str) -> bool:
    """Whether there is anything at the end of this way."""
    if way == Channel.EMAIL:
        return settings.CUSTODY_EMAIL
    return chosen is not None and chosen.chat_address is not None


def about(person_id: int) -> str:
    """What a person's sealed chat address belongs to."""
    return f"preference {person_id} chat"


def delayed(chosen: Preference | None, now: datetime) -> dict[str, datetime]:
    """The first moment outside of the person's quiet hours, as a delivery's column; nothing when that is now."""
    if chosen is None or chosen.quiet_from is None or chosen.quiet_to is None:
        return {}
    local = now.astimezone(ZoneInfo(chosen.zone))
    if not _within(local.time(), chosen.quiet_from, chosen.quiet_to):
        return {}
    ends = datetime.combine(local.date(), chosen.quiet_to, local.tzinfo)
    return {"next_at": ends if ends > local else ends + timedelta(days=1)}


def _within(moment: time, begin: time, end: time) -> bool:
    if begin <= end:
        return begin <= moment < end
    return moment >= begin or moment < end


def choose(wanted: Wanted, *, actor: Actor) -> Preference:
    """Store what a person wants.

    Raises NotAPerson, UnknownKind, UnknownWay, UnknownLanguage, UnknownZone, WrongQuietHours, ChatAddressUnusable.
    """
    enforce(actor, "notice.settle", "own")
    if actor.person_id is None:
        raise NotAPerson()
    columns: dict[str, Any] = {
        "ways": _ways(wanted.ways),
        "language": _one_of(wanted.language, ("", *dict(settings.LANGUAGES))),
        "zone": _zone(wanted.zone),
        **_quiet(wanted.quiet_from, wanted.quiet_to),
        **_chat(wanted.chat_address, actor.person_id),
    }
    with durable():
        stored, _ = Preference.objects.update_or_create(
            tenant_id=actor.tenant, person_id=actor.person_id, defaults=columns
        )
    return stored


def _ways(wanted: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    for kind, chosen in wanted.items():
        if kind not in CHOSEN:
            raise UnknownKind(field="ways", value=str(kind)[:40])
        for way in chosen:
            if way not in WAYS:
                raise UnknownWay(field=f"ways.{kind}", value=str(way)[:40], known=", ".join(WAYS))
    return {str(kind): sorted(set(chosen)) for kind, chosen in wanted.items()}


def _one_of(language: str, known: tuple[str, ...]) -> str:
    if language not in known:
        raise UnknownLanguage(field="language", value=language[:20], known=", ".join(filter(None, known)))
    return language


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise UnknownZone(field="zone", value=name[:64])
    return name


def _quiet(begin: str, end: str) -> dict[str, time | None]:
    if not begin and not end:
        return {"quiet_from": None, "quiet_to": None}
    try:
        hours = {"quiet_from": time.fromisoformat(begin), "quiet_to": time.fromisoformat(end)}
    except ValueError as error:
        raise WrongQuietHours(field="quiet_from" if not begin else "quiet_to") from error
    if any(hour.tzinfo for hour in hours.values()) or hours["quiet_from"] == hours["quiet_to"]:
        raise WrongQuietHours(field="quiet_to")
    return dict(hours)


def _chat(address: str | None, person_id: int) -> dict[str, Any]:
    if address is None:
        return {}
    if not address.strip():
        return {"chat_address": None, "chat_hint": ""}
    hint = chat.check(address.strip(), field="chat_address")
    return {"chat_address": sealing.seal(address.strip(), about=about(person_id)), "chat_hint": hint}
