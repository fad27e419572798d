"""Statements that no change made, in words: what they did, when, by whom, from where. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.presenters.facts import Fact
from console.presenters.impact import capital
from console.presenters.versions import source
from console.presenters.words import exact, number

NAMED = 5


@dataclass(frozen=True, slots=True)
class Statement:
    """A card's heading, what was done as sentences, and the facts of the first statement."""

    title: str
    did: tuple[str, ...]
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One statement in a list. `change` is the change it belongs to; without one it can be undone by itself."""

    id: int
    at: datetime
    did: str
    who: str
    source: str
    outside: bool
    change: int | None
    undoable: bool


def line(event: Any, *, label: Callable[[str], str], undoable: bool) -> Line:
    """One recorded statement as a line."""
    outside = event.channel in ("", "sql")
    return Line(
        id=event.pk,
        at=event.occurred_at,
        did=capital(_did_words(event.operation, event.affected_rows, label(event.entity))),
        who=_("SQL: %(login)s") % {"login": event.db_role} if outside else event.operator_name,
        source=source(event.channel, event.application),
        outside=outside,
        change=event.change_id,
        undoable=undoable and event.affected_rows > 0,
    )


def statement(
    events: Sequence[int], first: Any, written: Iterable[Any], *, transaction: bool, label: Callable[[str], str]
) -> Statement:
    """Put events (`changes.undoing.written_by`, and the first of them) into words."""
    return Statement(
        title=title(events, transaction=transaction),
        did=tuple(_did(one, label) for one in written),
        facts=_facts(first),
    )


def title(events: Sequence[int], *, transaction: bool) -> str:
    """What is undone, by number."""
    shown = ", ".join(str(event) for event in events[:NAMED]) + (" …" if len(events) > NAMED else "")
    if transaction:
        text = ngettext(
            "Statement %(events)s and everything of its transaction",
            "Statements %(events)s and everything of their transactions",
            len(events),
        )
    else:
        text = ngettext("Statement %(events)s", "Statements %(events)s", len(events))
    return text % {"events": shown}


def _did(one: Any, label: Callable[[str], str]) -> str:
    text = _did_words(one.operation, one.rows, label(one.entity))
    if one.events > 1:
        many = ngettext("in %(count)s statement", "in %(count)s statements", one.events)
        text += " (" + many % {"count": number(one.events)} + ")"
    return text


def _did_words(operation: str, rows: int, entity: str) -> str:
    words = {
        "+": ngettext("added %(rows)s row of %(entity)s", "added %(rows)s rows of %(entity)s", rows),
        "~": ngettext("changed %(rows)s row of %(entity)s", "changed %(rows)s rows of %(entity)s", rows),
        "-": ngettext(
            "removed %(rows)s row of %(entity)s for good", "removed %(rows)s rows of %(entity)s for good", rows
        ),
    }
    return words.get(operation, "%(rows)s %(entity)s") % {"rows": number(rows), "entity": entity}


def _facts(first: Any) -> tuple[Fact, ...]:
    known = [
        (_("When"), exact(first.occurred_at)),
        (_("Who"), first.operator_name),
        (_("Database login"), first.db_role),
        (_("Program"), first.application),
        (_("Address"), first.ip or ""),
        (_("Reason"), first.reason),
    ]
    return tuple(Fact(name, str(text)) for name, text in known if text)
