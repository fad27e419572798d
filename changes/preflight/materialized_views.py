"""Materialized views that read the tables: they show the old rows until somebody refreshes them.

PostgreSQL keeps no time of the last refresh. What it keeps is how many rows of the table were written since its
statistics began, and whether the view holds anything at all; the evidence says just that.
"""

from __future__ import annotations

from django.db import connection
from django.utils.translation import gettext_lazy as _

from changes.preflight.base import PASS, WARN, Check, Finding, Subject
from changes.tables import table_of

# Through plain views too: every rule depends on what its query reads.
READING = """
WITH RECURSIVE reads(reader, kind, source) AS (
  SELECT r.ev_class, c.relkind, d.refobjid FROM pg_depend d
    JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class c ON c.oid = r.ev_class
   WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
     AND d.refobjid = ANY (%(tables)s::regclass[]::oid[]) AND r.ev_class <> d.refobjid
  UNION
  SELECT r.ev_class, c.relkind, x.source FROM reads x JOIN pg_depend d ON d.refobjid = x.reader
    JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class c ON c.oid = r.ev_class
   WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND r.ev_class <> d.refobjid)
SELECT m.oid::regclass::text, m.relispopulated, string_agg(DISTINCT x.source::regclass::text, ', '),
       greatest(m.reltuples, 0)::bigint,
       coalesce(greatest(s.last_analyze, s.last_autoanalyze)::text, ''),
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = m.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL)
  FROM reads x JOIN pg_class m ON m.oid = x.reader LEFT JOIN pg_stat_all_tables s ON s.relid = m.oid
 WHERE x.kind = 'm' GROUP BY m.oid, m.relispopulated, m.reltuples, s.last_analyze, s.last_autoanalyze ORDER BY 1
"""


def ask(subject: Subject) -> Finding:
    with connection.cursor() as cursor:
        cursor.execute(READING, {"tables": [table_of(entity).name for entity in subject.entities]})
        found = cursor.fetchall()
    views = [
        {"view": v, "filled": filled, "reads": reads, "rows": rows, "analyzed": analyzed, "concurrently": unique}
        for v, filled, reads, rows, analyzed, unique in found
    ]
    if views:
        return Finding("materialized_views", WARN, "materialized_views", {"views": views})
    return Finding("materialized_views", PASS, "no_materialized_views")


CHECK = Check(name="materialized_views", label=_("Materialized views"), ask=ask)
