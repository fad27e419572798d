"""Load: rows get the values of their line of an imported file. A row that moved since the freeze is left alone."""

from __future__ import annotations

from django.db import connection

from audit import registry
from changes import import_layout
from changes.effects import assign
from changes.effects.base import EffectKind
from changes.import_layout import Layout
from changes.models import Change, ChangePart
from changes.tables import Table

# The staged line i of the frozen row r. OFFSET 0 has it looked up by its whole key: without statistics the planner believes
# that a change has one line, and would read all of them for each row.
OWN = "i.tenant_id = r.tenant_id AND i.change_id = r.change_id AND i.line = r.before_id"
LINE = f"JOIN LATERAL (SELECT i.* FROM changes_importrow i WHERE {OWN} OFFSET 0) i ON true"
CONTENT = """
SELECT encode(sha256(coalesce(string_agg(block, ''::bytea ORDER BY k), ''::bytea)), 'hex') FROM (
  SELECT line / 10000 AS k, sha256(string_agg(
           convert_to(jsonb_build_array(line, position, key, values, fresh)::text, 'UTF8'), ''::bytea ORDER BY line)) AS block
    FROM changes_importrow WHERE tenant_id = %s AND change_id = %s AND part = %s GROUP BY 1) blocks
"""


def chunk_sql(change: Change, table: Table, part: ChangePart, bounds: str) -> str:
    """Set the file's columns."""
    return assign.update_sql(table, part, bounds, source(change))


def skip_sql(change: Change, table: Table, part: ChangePart) -> str:
    """Changed or gone, or a value or a parent stands in the way."""
    return assign.why_left(change, table, part, source(change))


def source(change: Change) -> str:
    """Join v, the values of the frozen row's line."""
    return f"{LINE} {layout_of(change).typed()}"


def layout_of(change: Change) -> Layout:
    """The columns of the change's file."""
    return import_layout.from_json(registry.entity(change.entity), change.options["file"])


def content(change: Change, part: int) -> str:
    """Hex digest over the frozen lines of one part."""
    with connection.cursor() as cursor:
        cursor.execute(CONTENT, [change.tenant_id, change.pk, part])
        digest: str = cursor.fetchone()[0]
    return digest


KIND = EffectKind(chunk_sql=chunk_sql, skip_sql=skip_sql, content=content)
