"""Windows against the database's clock, which is the only one that all workers share."""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from changes import windows
from changes.errors import OutsideWindow
from changes.models import Change


def now() -> datetime:
    """The database's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found


def is_open(change: Change) -> bool:
    """Whether the change may work now; always, without a window."""
    window = windows.parse(change.options.get("window"))
    return window is None or window.is_open(now())


def opens_at(change: Change) -> datetime | None:
    """When the change's window opens next; None without a window, and when it never will."""
    window = windows.parse(change.options.get("window"))
    return None if window is None else window.next_open(now())


def refuse_closed(change: Change) -> None:
    """Raises OutsideWindow, which says when it opens."""
    if is_open(change):
        return
    opens = opens_at(change)
    words = _("never again") if opens is None else date_format(localtime(opens), "DATETIME_FORMAT")
    raise OutsideWindow(change_id=change.pk, opens=words)
