"""What a transaction has written itself is not in a state that it takes."""

from pathlib import Path

from django.db import migrations

from audit.written import function_as_written

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("audit", "0006_archive")]

    operations = [
        migrations.RunSQL(
            [(SQL / "snapshots_v2.sql").read_text()],
            [
                function_as_written(SQL / "snapshots_v1.sql", "tick"),
                function_as_written(SQL / "snapshots_v1.sql", "stamp_snapshot"),
                "DROP FUNCTION custody.present_state()",
            ],
        )
    ]
