"""Numbers, times and lengths of time in the reader's language. Pure; every page uses these and no others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.utils import timezone
from django.utils.dateformat import format as date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

LONG_TEXT = 2_000


def number(value: int | float | None) -> str:
    """Whole numbers in groups of three, as both languages write them."""
    return "–" if value is None else f"{value:,.0f}"


def moment(value: datetime | None) -> str:
    """An absolute time with its zone."""
    if value is None:
        return "–"
    local = timezone.localtime(value)
    return date_format(local, pgettext("date and time", "j M Y, H:i")) + " " + (local.tzname() or "")


def exact(value: datetime | None) -> str:
    """An absolute time to the millisecond, for the record."""
    if value is None:
        return "–"
    local = timezone.localtime(value)
    pattern = pgettext("date and exact time", "j M Y, H:i:s")
    return f"{date_format(local, pattern)}.{local.microsecond // 1000:03d} {local.tzname() or ''}"


def day(value: datetime) -> str:
    """A day without its year, for axes and feeds."""
    return date_format(value, pgettext("day", "j M"))


def clock(value: datetime) -> str:
    """Today the time, earlier the day."""
    local = timezone.localtime(value)
    if local.date() == timezone.localtime(timezone.now()).date():
        return date_format(local, "H:i")
    return day(local)


def span(length: timedelta) -> str:
    """About how long: the two largest units, whole ones."""
    seconds = max(0, int(length.total_seconds()))
    if not seconds:
        return _("less than 1 s")
    days, hours, minutes = seconds // 86_400, seconds % 86_400 // 3_600, seconds % 3_600 // 60
    if days >= 2:
        return ngettext("%(days)d day", "%(days)d days", days) % {"days": days}
    if days or hours:
        return _("%(hours)d h %(minutes)d min") % {"hours": days * 24 + hours, "minutes": minutes}
    if minutes:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": seconds % 60}
    return _("%(seconds)d s") % {"seconds": seconds}


def short_span(length: timedelta) -> str:
    """About how long: the largest unit only."""
    seconds = max(0, int(length.total_seconds()))
    if seconds >= 2 * 86_400:
        return span(length)
    if seconds >= 3_600:
        return _("%(hours)d h") % {"hours": seconds // 3_600}
    if seconds >= 60:
        return _("%(minutes)d min") % {"minutes": seconds // 60}
    return _("%(seconds)d s") % {"seconds": seconds}


def ago(value: datetime, *, now: datetime | None = None) -> str:
    """How long since, as an extra beside an absolute time."""
    length = (now or datetime.now(UTC)) - value
    if length < timedelta(minutes=1):
        return _("just now")
    return _("%(span)s ago") % {"span": short_span(length)}


def initials(name: str) -> str:
    """Two letters for the round mark beside a name; one sign for names written without spaces."""
    words = [word for word in name.replace("_", " ").replace("-", " ").split() if word]
    if not words:
        return "?"
    if len(words) == 1:
        return words[0][0].upper() if not words[0].isascii() else words[0][:2].upper()
    return (words[0][0] + words[-1][0]).upper()


def fingerprint(digest: str | None) -> tuple[str, ...]:
    """The first sixteen signs of a digest in groups of four, for people to compare."""
    text = (digest or "")[:16]
    return tuple(text[start : start + 4] for start in range(0, len(text), 4))
