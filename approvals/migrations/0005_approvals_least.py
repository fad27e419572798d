"""A change may ask for approvals itself, however few its rows are."""

from pathlib import Path

from django.db import migrations

from audit.written import function_as_written

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("approvals", "0004_counted_together"), ("changes", "0006_effects")]

    operations = [
        migrations.RunSQL(
            [(SQL / "guards_v4.sql").read_text()],
            [function_as_written(SQL / "guards_v3.sql", "clearance")],
        )
    ]
