"""The parts of a frozen change are guarded like its rows."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
REVERSE = [
    "DROP TRIGGER custody_frozen_insert ON changes_changepart",
    "DROP TRIGGER custody_frozen_update ON changes_changepart",
    "DROP TRIGGER custody_frozen_delete ON changes_changepart",
]


class Migration(migrations.Migration):
    dependencies = [("changes", "0002_guards")]

    operations = [migrations.RunSQL([(SQL / "guards_v2.sql").read_text()], REVERSE)]
