"""Tables under the same threshold are counted together."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
BEFORE = (SQL / "guards_v1.sql").read_text()
CLEARANCE = BEFORE[BEFORE.index("CREATE FUNCTION custody.clearance()") :].split("END $f$;")[0] + "END $f$;"


class Migration(migrations.Migration):
    dependencies = [("approvals", "0003_votes_approve")]

    operations = [
        migrations.RunSQL(
            [(SQL / "guards_v3.sql").read_text()],
            [CLEARANCE.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)],
        )
    ]
