"""A ticket is approved by votes only."""

from pathlib import Path

from django.db import migrations

from audit.written import function_as_written

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("approvals", "0002_guards")]

    operations = [
        migrations.RunSQL(
            [(SQL / "guards_v2.sql").read_text()], [function_as_written(SQL / "guards_v1.sql", "ticket_step")]
        )
    ]
