"""A running change opens the row limit for what it froze only; what every statement asks becomes cheaper."""

from pathlib import Path

from django.db import migrations

from audit.written import function_as_written

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_events")]

    operations = [
        migrations.RunSQL(
            [(SQL / "events_v2.sql").read_text()],
            [
                function_as_written(SQL / "events_v1.sql", "refuse_mass"),
                function_as_written(SQL / "functions_v1.sql", "trusted_context"),
                "DROP FUNCTION custody.change_covers(bigint, integer, text, bigint)",
                "DROP FUNCTION custody.row_limit(text, bigint)",
                "DROP FUNCTION custody.refuse_strangers(text, bigint, integer, bigint[])",
                "DROP FUNCTION custody.change_holds(bigint, integer, text, bigint[])",
            ],
        )
    ]
