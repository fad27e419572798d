"""What goes into a pack, file by file, as rows of plain values. Whatever can be long is read in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection, models

from approvals.evidence.masking import MASK, masked, names_values, sensitive
from approvals.models import Ticket
from audit import registry
from audit.models import ArchiveFile, Event, Snapshot
from changes.digests import rows_digest
from changes.models import Change, Lane, PreflightRun, SkippedRow
from changes.tables import table_of

Row = dict[str, Any]
PIECE = 2_000
# As the session's settings would otherwise make the text of a row.
PLAIN = (
    "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres'; "
    "SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'"
)
HISTORY = """
SELECT coalesce(sum(n), 0)::bigint, encode(sha256(coalesce(string_agg(block, ''::bytea ORDER BY k), ''::bytea)), 'hex') FROM (
  SELECT h.history_id / 10000 AS k, count(*) AS n,
         sha256(string_agg(sha256(convert_to(h::text, 'UTF8')), ''::bytea ORDER BY h.history_id)) AS block
    FROM {history} h WHERE h.change_id = %s GROUP BY 1) blocks
"""


@dataclass(frozen=True, slots=True)
class File:
    """One file: rows as JSON lines where its name says so, else the one row as JSON."""

    name: str
    rows: Callable[[], Iterator[Row]]

    @property
    def lines(self) -> bool:
        return self.name.endswith(".jsonl")


def files(change: Change, ticket: Ticket | None) -> list[File]:
    """The files of a change, in the order of the pack."""
    hidden = sensitive(change.entity)
    found = [File("request.json", lambda: iter([request(change, hidden)]))]
    if ticket is not None:
        found.append(File("ticket.json", lambda: iter([_ticket(change, ticket, hidden)])))
        found += [_related(relation, ticket, hidden) for relation in _relations()]
    of_change = (
        ("checks.jsonl", PreflightRun.objects.filter(change_id=change.pk)),
        ("parts.jsonl", change.parts.all()),
        ("lanes.jsonl", Lane.objects.filter(change_id=change.pk)),
        ("left-alone.jsonl", SkippedRow.objects.filter(change_id=change.pk)),
        ("archives.jsonl", ArchiveFile.objects.filter(change_id=change.pk)),
        ("snapshots.jsonl", Snapshot.objects.filter(change_id=change.pk)),
    )
    found += [File(name, _reader(rows.order_by("pk"), hidden)) for name, rows in of_change]
    found.append(File("history.jsonl", lambda: _history(change)))
    found.append(File("events.jsonl", lambda: _events(change, hidden)))
    return found


def request(change: Change, hidden: frozenset[str]) -> Row:
    """What was asked for, and the digest over every frozen row with its token."""
    row = values(change)
    if names_values(change, hidden):
        row |= {"title": MASK, "selection_text": MASK}
    return {**masked(row, hidden), "rows_digest": rows_digest(change)}


def _ticket(change: Change, ticket: Ticket, hidden: frozenset[str]) -> Row:
    """Digest, rule and state of the decision; its title repeats the change's."""
    row = values(ticket)
    return row | {"title": MASK} if names_values(change, hidden) else row


def values(row: models.Model) -> Row:
    """Every column of a row, so that a column that comes later is in the pack without a line here."""
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def _relations() -> list[Any]:
    """Whatever points to a ticket: votes, and what else belongs to it."""
    pointing = [relation for relation in Ticket._meta.related_objects if isinstance(relation, models.ManyToOneRel)]
    return sorted(pointing, key=lambda relation: str(relation.related_model._meta.db_table))


def _related(relation: Any, ticket: Ticket, hidden: frozenset[str]) -> File:
    model: Any = relation.related_model
    rows = model._base_manager.filter(**{f"{relation.field.name}_id": ticket.pk}).order_by("pk")
    return File(f"{model._meta.verbose_name_raw.replace(' ', '-')}s.jsonl", _reader(rows, hidden))


def _reader(rows: Any, hidden: frozenset[str]) -> Callable[[], Iterator[Row]]:
    return lambda: (masked(values(row), hidden) for row in rows.iterator(chunk_size=PIECE))


def _history(change: Change) -> Iterator[Row]:
    """Per table: how many versions the change wrote, and a digest over them."""
    for label in sorted({part.entity for part in change.parts.all()}):
        with connection.cursor() as cursor:
            cursor.execute(HISTORY.format(history=table_of(registry.entity(label)).history), [change.pk])
            rows, digest = cursor.fetchone()
        yield {"entity": label, "rows": rows, "sha256": digest}


def _events(change: Change, hidden: frozenset[str]) -> Iterator[Row]:
    """Statements and acts of the change; each table hides its own fields."""
    known = {change.entity: hidden}
    for event in Event.objects.filter(change_id=change.pk).order_by("pk").iterator(chunk_size=PIECE):
        own = known.setdefault(event.entity, sensitive(event.entity))
        row = values(event)
        yield row | {"before_state": masked(event.before_state, own), "facts": masked(event.facts, own)}
