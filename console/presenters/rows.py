"""One change as a line of a list. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.presenters.states import Pill, state_pill
from console.presenters.words import ago, moment, number, span

URGENT = timedelta(hours=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFacts:
    """A change and its ticket, as a list needs them."""

    code: str
    url: str
    title: str
    entity: str
    operation: str
    state: str
    rows_selected: int
    rows_total: int
    asked_by: str
    asked_at: datetime
    ticket: str | None = None
    have: int = 0
    need: int = 0
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """The words of one line."""

    code: str
    url: str
    title: str
    pill: Pill
    rows: str
    asked: str
    asked_exact: str
    have: int
    need: int
    marks: tuple[bool, ...]
    expiry: str
    urgent: bool


def change_row(change: ChangeFacts, *, now: datetime) -> ChangeRow:
    """The line of one change."""
    ticket = change.ticket
    left = change.expires_at - now if change.expires_at and ticket == "pending" else None
    if left is not None and left <= timedelta(0):
        ticket, left = "expired", None
    facts = {"name": change.asked_by, "when": ago(change.asked_at, now=now)}
    return ChangeRow(
        code=change.code,
        url=change.url,
        title=change.title,
        pill=state_pill(change.state, ticket),
        rows=_rows(change),
        asked=_("asked by %(name)s, %(when)s") % facts,
        asked_exact=moment(change.asked_at),
        have=change.have,
        need=change.need,
        marks=tuple(index < change.have for index in range(change.need)),
        expiry=_("expires in %(span)s") % {"span": span(left)} if left is not None else "",
        urgent=left is not None and left < URGENT,
    )


def _rows(change: ChangeFacts) -> str:
    if change.state == "draft":
        return change.entity
    facts = {"rows": number(change.rows_selected), "entity": change.entity, "total": number(change.rows_total)}
    if change.rows_selected == change.rows_total:
        return _("%(rows)s %(entity)s") % facts
    return (
        ngettext(
            "%(rows)s %(entity)s, %(total)s row in all", "%(rows)s %(entity)s, %(total)s rows in all", change.rows_total
        )
        % facts
    )
