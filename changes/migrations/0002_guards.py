"""The rules of this app once more, in the database."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
REVERSE = [
    """CREATE OR REPLACE FUNCTION custody.change_is_running(change bigint) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT false'""",
    "DROP TRIGGER custody_step ON changes_change",
    "DROP TRIGGER custody_begin ON changes_change",
    "DROP FUNCTION custody.change_step(), custody.change_begin()",
    "DROP TRIGGER custody_frozen_insert ON changes_frozenrow",
    "DROP TRIGGER custody_frozen_update ON changes_frozenrow",
    "DROP TRIGGER custody_frozen_delete ON changes_frozenrow",
    "DROP FUNCTION custody.frozen_rows_stay()",
]


class Migration(migrations.Migration):
    dependencies = [("changes", "0001_initial")]

    operations = [migrations.RunSQL([(SQL / "guards_v1.sql").read_text()], REVERSE)]
