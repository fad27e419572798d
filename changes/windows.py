"""Windows: when a change may run. Pure; `now` is the database's clock, given by the caller.

A weekly part (days, from, to, in a time zone; past midnight belongs to the day it began) and two absolute bounds;
each may be missing, and all that are there must hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from changes.errors import BadWindow

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MEMBERS = ("days", "from", "to", "zone", "not_before", "not_after")
# A weekly opening that is not found within this is hidden by the absolute bounds.
HORIZON_DAYS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """`opens` equal to `closes` is the whole day; without `opens` only the absolute bounds count."""

    days: tuple[str, ...] = DAYS
    opens: time | None = None
    closes: time | None = None
    zone: str = "UTC"
    not_before: datetime | None = None
    not_after: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """What `parse` reads."""
        found: dict[str, Any] = {}
        if self.opens is not None and self.closes is not None:
            found = {
                "days": list(self.days),
                "from": self.opens.isoformat("minutes"),
                "to": self.closes.isoformat("minutes"),
                "zone": self.zone,
            }
        if self.not_before is not None:
            found["not_before"] = self.not_before.isoformat()
        if self.not_after is not None:
            found["not_after"] = self.not_after.isoformat()
        return found

    def is_open(self, now: datetime) -> bool:
        """Whether a change may work at this moment."""
        if (self.not_before and now < self.not_before) or (self.not_after and now >= self.not_after):
            return False
        return self.opens is None or any(begin <= now < end for begin, end in self._spans(now, days=2))

    def next_open(self, now: datetime) -> datetime | None:
        """When it opens, `now` when it is open, None when it never will again."""
        start = max(now, self.not_before) if self.not_before else now
        if self.opens is None:
            return self._in_time(start)
        for begin, end in self._spans(start, days=HORIZON_DAYS):
            if end > start:
                return self._in_time(max(begin, start))
        return None

    def _in_time(self, moment: datetime) -> datetime | None:
        return None if self.not_after and moment >= self.not_after else moment

    def _spans(self, around: datetime, *, days: int) -> Iterator[tuple[datetime, datetime]]:
        """Weekly openings from yesterday on, in UTC: within a zone, Python compares what clocks on the wall say."""
        assert self.opens is not None
        assert self.closes is not None
        zone = ZoneInfo(self.zone)
        yesterday = around.astimezone(zone).date() - timedelta(days=1)
        for number in range(days):
            day = yesterday + timedelta(days=number)
            if DAYS[day.weekday()] in self.days:
                last = day + timedelta(days=int(self.closes <= self.opens))
                yield (
                    datetime.combine(day, self.opens, zone).astimezone(UTC),
                    datetime.combine(last, self.closes, zone).astimezone(UTC),
                )


def parse(value: Any) -> Window | None:
    """A window as it was asked for; None for none. Raises BadWindow, which names the member."""
    if value in (None, {}):
        return None
    if not isinstance(value, dict):
        raise BadWindow(field="window", value=str(value)[:40], hint=", ".join(MEMBERS))
    for name in value:
        if name not in MEMBERS:
            raise BadWindow(field="window", value=str(name)[:40], hint=", ".join(MEMBERS))
    opens, closes = _clock(value, "from"), _clock(value, "to")
    if (opens is None) != (closes is None):
        raise BadWindow(field="window.to" if closes is None else "window.from", value="", hint="22:00")
    if opens is None and ("days" in value or "zone" in value):
        raise BadWindow(field="window.from", value="", hint="22:00")
    window = Window(
        days=_days(value.get("days", DAYS)),
        opens=opens,
        closes=closes,
        zone=_zone(value.get("zone", "UTC")),
        not_before=_moment(value, "not_before"),
        not_after=_moment(value, "not_after"),
    )
    if window.not_before and window.not_after and window.not_before >= window.not_after:
        raise BadWindow(field="window.not_after", value=window.not_after.isoformat(), hint="> not_before")
    return window


def _clock(value: dict[str, Any], name: str) -> time | None:
    text = value.get(name)
    if text is None:
        return None
    try:
        found = time.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise BadWindow(field=f"window.{name}", value=str(text)[:40], hint="22:00") from error
    if found.tzinfo is not None:
        raise BadWindow(field=f"window.{name}", value=str(text)[:40], hint="22:00")
    return found


def _days(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not value or any(day not in DAYS for day in value):
        raise BadWindow(field="window.days", value=str(value)[:40], hint=", ".join(DAYS))
    return tuple(day for day in DAYS if day in value)


def _zone(name: Any) -> str:
    try:
        return ZoneInfo(name).key
    except (TypeError, ValueError, OSError, LookupError) as error:
        raise BadWindow(field="window.zone", value=str(name)[:40], hint="Europe/Berlin") from error


def _moment(value: dict[str, Any], name: str) -> datetime | None:
    text = value.get(name)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise BadWindow(field=f"window.{name}", value=str(text)[:40], hint="2026-05-01T22:00:00+02:00") from error
    if found.tzinfo is None:
        raise BadWindow(field=f"window.{name}", value=str(text)[:40], hint="2026-05-01T22:00:00+02:00")
    return found.astimezone(UTC)
