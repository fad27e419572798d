"""Archive files in words. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.presenters.words import moment, number


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLine:
    """One file as a line of a table."""

    id: int
    change: int
    code: str
    entity: str
    rows: str
    size: str
    path: str
    sha256: str
    verified: str


@dataclass(frozen=True, slots=True)
class Storage:
    """Cold storage of one change: how far it is, and its files."""

    text: str
    whole: bool
    files: tuple[FileLine, ...]


def file_line(one: Any, *, entity: str) -> FileLine:
    """Read a record's plain attributes."""
    return FileLine(
        id=one.pk,
        change=one.change_id,
        code=f"C-{one.change_id}",
        entity=entity,
        rows=number(one.rows),
        size=filesizeformat(one.bytes),
        path=one.path,
        sha256=one.sha256,
        verified=moment(one.verified_at),
    )


def storage(files: tuple[FileLine, ...], *, frozen: int, stored: int) -> Storage:
    """`frozen` rows are to be removed, `stored` of them lie in files that were read back."""
    facts = {"stored": number(stored), "frozen": number(frozen)}
    if stored < frozen:
        text = ngettext(
            "%(stored)s of %(frozen)s row written and read back. Nothing is removed before all are.",
            "%(stored)s of %(frozen)s rows written and read back. Nothing is removed before all are.",
            frozen,
        )
        return Storage(text % facts, False, files)
    text = ngettext(
        "Written, read back and compared value by value: %(frozen)s row.",
        "Written, read back and compared value by value: %(frozen)s rows.",
        frozen,
    )
    return Storage(text % facts, True, files)


def examined(health: str, path: str) -> str:
    """What an examination found, as a sentence."""
    sentences = {
        "sound": _("%(path)s is what the record says, byte by byte."),
        "missing": _("%(path)s is not there. The history still holds its rows."),
        "changed": _("%(path)s has been changed since it was written. The history still holds its rows."),
        "unreadable": _("%(path)s cannot be read as the record says. The history still holds its rows."),
    }
    return sentences[health] % {"path": path}
