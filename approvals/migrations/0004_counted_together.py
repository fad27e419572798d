"""Tables under the same threshold are counted together."""

from pathlib import Path

from django.db import migrations

from audit.written import function_as_written

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("approvals", "0003_votes_approve")]

    operations = [
        migrations.RunSQL(
            [(SQL / "guards_v3.sql").read_text()],
            [function_as_written(SQL / "guards_v1.sql", "clearance")],
        )
    ]
