"""A snapshot in words: its kind, what it holds, whether it was measured, how long it is kept. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.presenters.impact import capital
from console.presenters.states import Pill
from console.presenters.words import fingerprint, moment, number

Label = Callable[[str], str]
SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRow:
    """One line of the list."""

    id: int
    name: str
    kind: Pill
    tables: str
    rows: str
    measured: Pill
    taken_at: datetime
    taken_by: str
    kept: str
    held: bool
    note: str
    change_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One table of a snapshot; `moved` says what its columns have become since."""

    entity: str
    name: str
    table: str
    rows: str
    live_rows: str
    checksum: str
    groups: str
    measured: Pill
    moved: str


def snapshot_row(snapshot: Any, parts: Iterable[Any], *, label: Label) -> SnapshotRow:
    """Read a snapshot's and its tables' plain attributes."""
    listed = list(parts)
    done = [part for part in listed if part.measured_at is not None]
    return SnapshotRow(
        id=snapshot.pk,
        name=snapshot.name,
        kind=kind_pill(snapshot.kind),
        tables=_tables([capital(label(part.entity)) for part in listed]),
        rows=number(sum(part.rows for part in listed)) if listed and len(done) == len(listed) else "–",
        measured=_measured(len(done), len(listed)),
        taken_at=snapshot.taken_at,
        taken_by=snapshot.taken_by_name,
        kept=_("for good") if snapshot.kept_until is None else moment(snapshot.kept_until),
        held=snapshot.hold,
        note=snapshot.note,
        change_id=snapshot.change_id,
    )


def table_row(part: Any, *, label: Label, table: Label, columns_now: list[list[str]] | None) -> TableRow:
    """`columns_now` are the table's columns today, None when there is no such table any more."""
    done = part.measured_at is not None
    return TableRow(
        entity=part.entity,
        name=capital(label(part.entity)),
        table=table(part.entity),
        rows=number(part.rows) if done else "–",
        live_rows=number(part.live_rows) if done else "–",
        checksum=part.checksum,
        groups="·".join(fingerprint(part.checksum.lstrip("-"))),
        measured=_measured(int(done), 1),
        moved=_moved(part.columns, columns_now),
    )


def kind_pill(kind: str) -> Pill:
    pills = {
        "named": Pill(_("named"), "acc", "tag"),
        "daily": Pill(_("daily"), "", "cal"),
        "before_run": Pill(_("before a run"), "", "play"),
    }
    return pills.get(kind, Pill(kind))


def _measured(done: int, total: int) -> Pill:
    if done == total:
        return Pill(_("measured"), "ok", "ok")
    return Pill(_("not measured yet") if not done else _("partly measured"), "", "info")


def _tables(names: list[str]) -> str:
    text = ", ".join(names[:SHOWN])
    more = len(names) - SHOWN
    if more <= 0:
        return text
    return ngettext("%(names)s and %(more)s more", "%(names)s and %(more)s more", more) % {"names": text, "more": more}


def _moved(columns: list[list[str]], now: list[list[str]] | None) -> str:
    """How the columns differ from those of the snapshot, in words; empty when they do not."""
    if now is None:
        return _("This table is no longer there.")
    then, today = {tuple(one) for one in columns}, {tuple(one) for one in now}
    added, gone = sorted(name for name, _kind in today - then), sorted(name for name, _kind in then - today)
    if not added and not gone:
        return ""
    facts = {"added": ", ".join(added) or "–", "gone": ", ".join(gone) or "–"}
    return _("Columns have changed since: new %(added)s, gone %(gone)s.") % facts
