"""A running change covers the rows it froze, for the approved operation and the part's columns."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("changes", "0006_effects"), ("audit", "0005_guard")]

    operations = [
        migrations.RunSQL(
            [(SQL / "coverage_v1.sql").read_text()],
            [
                "DROP FUNCTION custody.only_columns(oid, text[], jsonb)",
                """CREATE OR REPLACE FUNCTION custody.hold_change(change bigint, tenant integer) RETURNS boolean
                   LANGUAGE sql STABLE AS 'SELECT false'""",
                """CREATE OR REPLACE FUNCTION custody.coverage(
                     change bigint, tenant integer, place text, relation oid, operation text, keys text[])
                   RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT NULL::text WHERE false'""",
            ],
        )
    ]
