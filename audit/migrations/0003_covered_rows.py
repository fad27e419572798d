"""A running change opens the row limit for what it froze only."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
BEFORE = (SQL / "events_v1.sql").read_text()
REFUSE_MASS = BEFORE[
    BEFORE.index("CREATE FUNCTION custody.refuse_mass") : BEFORE.index("CREATE FUNCTION custody.record_event")
]


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_events")]

    operations = [
        migrations.RunSQL(
            [(SQL / "events_v2.sql").read_text()],
            [
                REFUSE_MASS.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"),
                "DROP FUNCTION custody.change_covers(bigint, integer, text, bigint)",
            ],
        )
    ]
