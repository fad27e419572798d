"""A ticket is approved by votes only."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
BEFORE = (SQL / "guards_v1.sql").read_text()
STEP = BEFORE[BEFORE.index("CREATE FUNCTION custody.ticket_step()") :].split("END $f$;")[0] + "END $f$;"


class Migration(migrations.Migration):
    dependencies = [("approvals", "0002_guards")]

    operations = [
        migrations.RunSQL(
            [(SQL / "guards_v2.sql").read_text()], [STEP.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)]
        )
    ]
