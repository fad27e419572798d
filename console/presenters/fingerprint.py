"""The fingerprint of a frozen selection, and what the live data says to it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.presenters import words
from console.presenters.words import number


@dataclass(frozen=True, slots=True)
class Print:
    """The digest, and one line about the live rows."""

    digest: str
    live_mark: str = ""
    live_icon: str = ""
    live_title: str = ""
    live_text: str = ""

    @property
    def groups(self) -> tuple[str, ...]:
        return words.fingerprint(self.digest)


def fingerprint(digest: str, *, drifted: int | None, started: bool, partial: bool = False) -> Print:
    """`drifted` rows differ from the freeze; None when it was not compared."""
    if started:
        return Print(digest)
    if drifted is None:
        return Print(digest, "", "info", _("Live data"), _("could not be compared in time"))
    if not drifted:
        return Print(digest, "is-ok", "ok", _("Live data"), _("every frozen row is as it was"))
    count = ngettext("%(rows)s row differs", "%(rows)s rows differ", drifted) % {"rows": number(drifted)}
    if partial:
        count = _("At least %(rows)s rows differ") % {"rows": number(drifted)}
    return Print(digest, "is-bad", "drift", count, _("changed after the freeze; they will be left alone"))
