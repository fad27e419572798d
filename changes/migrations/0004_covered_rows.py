"""The row limit asks what a running change froze."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("changes", "0003_parts_stay"), ("audit", "0003_covered_rows")]

    operations = [
        migrations.RunSQL(
            [(SQL / "guards_v3.sql").read_text()],
            [
                """CREATE OR REPLACE FUNCTION custody.change_holds(
                     change bigint, tenant integer, place text, keys bigint[]) RETURNS boolean
                   LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT false'""",
                """CREATE OR REPLACE FUNCTION custody.change_covers(
                     change bigint, tenant integer, place text, amount bigint) RETURNS boolean
                   LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT false'""",
            ],
        )
    ]
