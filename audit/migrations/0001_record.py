"""The schema of Custody's own functions."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        migrations.RunSQL([(SQL / "functions_v1.sql").read_text()], ["DROP SCHEMA custody CASCADE"]),
    ]
