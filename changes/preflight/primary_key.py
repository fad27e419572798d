"""Every table of the change has the primary key by which its rows are frozen, locked and undone."""

from __future__ import annotations

from django.db import connection
from django.utils.translation import gettext_lazy as _

from changes.preflight.base import BLOCK, PASS, Check, Finding, Subject
from changes.tables import table_of

# A key whose index is not valid finds rows no longer.
WITHOUT = """
SELECT t.name FROM unnest(%s::text[]) t(name) WHERE NOT EXISTS (
  SELECT FROM pg_index i WHERE i.indrelid = to_regclass(t.name) AND (i.indisprimary OR i.indisunique AND i.indpred IS NULL)
     AND i.indisvalid AND i.indimmediate)
"""


def ask(subject: Subject) -> Finding:
    names = {table_of(entity).name: entity._meta.label_lower for entity in subject.entities}
    with connection.cursor() as cursor:
        cursor.execute(WITHOUT, [list(names)])
        without = sorted(names[name] for (name,) in cursor.fetchall())
    if without:
        return Finding("primary_key", BLOCK, "no_primary_key", {"entities": without})
    return Finding("primary_key", PASS, "primary_key", {"entities": sorted(names.values())})


CHECK = Check(
    name="primary_key",
    label=_("Primary key"),
    ask=ask,
    way=_("Give the table its primary key back."),
)
