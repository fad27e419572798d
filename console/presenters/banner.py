"""At most one banner on a change's page: the worst problem first. Pure."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.presenters.notes import Note
from console.presenters.words import number


def banner(
    *,
    state: str,
    drifted: int,
    error: str,
    held: tuple[str, str] | None = None,
    closed: str = "",
    sent_back: tuple[str, str] | None = None,
) -> Note | None:
    """What the reader has to know before anything else on the page."""
    if state == "failed" and error == "verification":
        text = _(
            "Rows, history and events do not count the same. Look at the history of this change; it can be undone."
        )
        return Note("bad", "bad", _("This change ended, but its numbers differ."), text)
    if state == "failed":
        text = _("What is done stays done and can be undone. It can also go on where it stopped.")
        return Note("bad", "bad", _("This change could not go on."), text)
    if sent_back is not None:
        title = _("%(name)s sent this back.") % {"name": sent_back[0]}
        return Note("warn", "pencil", title, sent_back[1])
    if drifted:
        title = ngettext(
            "%(rows)s row changed after the selection was frozen.",
            "%(rows)s rows changed after the selection was frozen.",
            drifted,
        ) % {"rows": number(drifted)}
        text = _(
            "What is approved is what runs: changed rows are left alone, new rows never join. To take them along, withdraw this and ask again."
        )
        return Note("warn", "drift", title, text)
    if state == "paused" and held is not None:
        return Note("warn", "pause", held[0], held[1])
    if state == "cleared" and closed:
        return Note("acc", "time", _("Approved, and waiting for its window."), closed)
    if state == "cleared":
        return Note("acc", "play", _("Ready to start."), _("Nothing runs until somebody starts it."))
    return None
