"""Small changes of one person count together."""

from pathlib import Path

from django.db import migrations

from audit.written import function_as_written

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("approvals", "0006_rounds"), ("audit", "0005_guard")]

    operations = [
        migrations.RunSQL(
            [(SQL / "guards_v6.sql").read_text()],
            [
                function_as_written(SQL / "guards_v5.sql", "clearance"),
                "DROP FUNCTION custody.window_full(integer, bigint)",
            ],
        )
    ]
