"""A change that waits may be sent back, and is frozen anew."""

from pathlib import Path

from django.db import migrations

from audit.written import function_as_written

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("changes", "0013_holds")]

    operations = [
        migrations.RunSQL(
            [(SQL / "guards_v7.sql").read_text()],
            [function_as_written(SQL / "guards_v6.sql", "change_step"), "DROP FUNCTION custody.thaw(bigint)"],
        )
    ]
