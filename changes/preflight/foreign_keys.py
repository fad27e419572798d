"""Foreign keys that point to the tables and have no index: each look for dependants reads the whole child table."""

from __future__ import annotations

from django.db import connection
from django.utils.translation import gettext_lazy as _

from changes.preflight.base import PASS, WARN, Check, Finding, Subject
from changes.states import Effect
from changes.tables import table_of

# An index helps when one of its first columns, as many as the key has, is the column after the tenant's.
POINTING = """
SELECT f.conname, f.conrelid::regclass::text, greatest(c.reltuples, 0)::bigint, EXISTS (
         SELECT FROM pg_index i WHERE i.indrelid = f.conrelid AND i.indisvalid
            AND (i.indkey::smallint[])[0:cardinality(f.conkey) - 1] && ARRAY[f.conkey[cardinality(f.conkey)]])
  FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid
 WHERE f.contype = 'f' AND f.conparentid = 0 AND f.confrelid = ANY (%s::regclass[]::oid[])
 ORDER BY 3 DESC, 1
"""
LEAVES = frozenset({Effect.DELETE.value, Effect.REMOVE.value})


def ask(subject: Subject) -> Finding | None:
    leaving = {table_of(part.entity).name for part in subject.parts if part.effect in LEAVES}
    if not leaving:
        return None
    with connection.cursor() as cursor:
        cursor.execute(POINTING, [sorted(leaving)])
        found = cursor.fetchall()
    without = [{"name": n, "table": t, "rows": rows} for n, t, rows, indexed in found if not indexed]
    if without:
        return Finding("foreign_keys", WARN, "foreign_keys_unindexed", {"keys": without, "all": len(found)})
    return Finding("foreign_keys", PASS, "foreign_keys", {"all": len(found)})


CHECK = Check(name="foreign_keys", label=_("Foreign keys"), ask=ask)
