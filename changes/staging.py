"""Staging: an uploaded file becomes a draft, line by line, and the database says what each line would do.

Nothing of a governed table is touched. Lines go through COPY into a table of the transaction (row level security and COPY
do not go together), so the file is never whole in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Min
from django.utils.translation import gettext as _

from access.enforcement import enforce
from audit import registry
from changes import import_layout
from changes.csv_reading import Csv, open_csv
from changes.errors import EmptyFile, ImportNotFound, TooManyLines
from changes.import_layout import Layout, problem
from changes.matching import Matcher
from changes.models import Change, ImportRow
from changes.states import Operation, State, Verdict
from foundation.actor import Actor

TEMPORARY = """
DROP TABLE IF EXISTS pg_temp.custody_upload;
CREATE TEMPORARY TABLE custody_upload (line bigint, verdict text, "values" jsonb, fresh jsonb, problems jsonb) ON COMMIT DROP
"""
COPY = 'COPY pg_temp.custody_upload (line, verdict, "values", fresh, problems) FROM STDIN'
KEEP = """
INSERT INTO changes_importrow (tenant_id, change_id, line, verdict, reason, detail, "values", fresh, problems)
SELECT %s, %s, line, verdict, '', '', "values", fresh, problems FROM pg_temp.custody_upload ORDER BY line
"""


def stage(
    actor: Actor,
    *,
    entity: str,
    stream: BinaryIO,
    name: str = "",
    match: str = "",
    including: Iterable[str] = (),
) -> Change:
    """Read a CSV file into a new draft of the operation import.

    Raises NotAllowed, or an Invalid that names the line and the way out. A line that is wrong raises nothing: it is kept
    with what is wrong with it.
    """
    model = registry.entity(entity)
    enforce(actor, "change.request", model._meta.label_lower)
    names = import_layout.names_of(model)
    with transaction.atomic():
        file = open_csv(stream, known=lambda one: one.lower() in names, limit=settings.CUSTODY_IMPORT_BYTES)
        layout = import_layout.layout(model, file.header, match=match, including=including)
        change = _draft(actor, layout, file, name)
        if not _keep(change, layout, file):
            raise EmptyFile(field="file")
        Matcher(change, layout).judge()
    return change


def _draft(actor: Actor, layout: Layout, file: Csv, name: str) -> Change:
    """The draft, its number in its own options."""
    shown = "".join(sign for sign in name if sign.isprintable())[-120:]
    title = _("Import %(entity)s from %(file)s") % {"entity": layout.entity.governance.label, "file": shown or "CSV"}
    change = Change.objects.create(
        tenant_id=actor.tenant,
        operation=Operation.IMPORT,
        entity=layout.entity._meta.label_lower,
        title=title[:200],
        state=State.DRAFT,
        requested_by_id=actor.user_id,
        requester_person_id=actor.person_id,
        requester_name=actor.name,
    )
    change.options = {
        "cascade_also": [],
        "import": change.pk,
        "leave_out": False,
        "file": {"name": shown, "separator": file.separator, **layout.as_json()},
    }
    change.save(update_fields=["options"])
    return change


def _keep(change: Change, layout: Layout, file: Csv) -> int:
    """Copy the lines; return how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(TEMPORARY)
        with cursor.copy(COPY) as copy:
            for row in _rows(layout, file):
                copy.write_row(row)
        cursor.execute(KEEP, [change.tenant_id, change.pk])
        kept = int(cursor.rowcount)
        cursor.execute("DROP TABLE pg_temp.custody_upload")
    return kept


def _rows(layout: Layout, file: Csv) -> Iterator[tuple[Any, ...]]:
    width = len(layout.fields)
    for number, (line, cells) in enumerate(file.lines, start=1):
        if number > settings.CUSTODY_IMPORT_ROWS:
            raise TooManyLines(field="file", limit=f"{settings.CUSTODY_IMPORT_ROWS:,}")
        values, problems = layout.read(cells, line)
        if len(cells) != width:
            wrong = _("The line has %(cells)s cells, the header %(width)s.") % {"cells": len(cells), "width": width}
            problems = [problem("", file.separator.join(cells), wrong), *problems]
        verdict = Verdict.WRONG if problems else Verdict.NEW
        fresh = json.dumps(layout.anew()) if layout.fresh else None
        values += [None] * (width - len(values))
        yield line, verdict.value, json.dumps(values), fresh, json.dumps(problems)


def get(import_id: Any) -> Change:
    """The upload of this number, draft or more. Raises ImportNotFound."""
    found = None
    if isinstance(import_id, int) and not isinstance(import_id, bool):
        found = Change.objects.filter(pk=import_id, operation=Operation.IMPORT, options__has_key="file").first()
    if found is None:
        raise ImportNotFound(field="options.import", value=str(import_id)[:40])
    return found


def counts(change: Change) -> dict[str, int]:
    """How many lines would do what."""
    found = ImportRow.objects.filter(change_id=change.pk).values_list("verdict").annotate(rows=Count("line"))
    return {verdict.value: 0 for verdict in Verdict} | dict(found.order_by())


def first_wrong(change: Change) -> int | None:
    """The first line that is wrong."""
    wrong = ImportRow.objects.filter(change_id=change.pk, verdict=Verdict.WRONG)
    line: int | None = wrong.aggregate(line=Min("line"))["line"]
    return line


def discard(change: Change) -> None:
    """Forget the lines of a draft; a frozen change keeps its own."""
    ImportRow.objects.filter(change_id=change.pk).delete()
