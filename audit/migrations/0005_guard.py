"""Sums per transaction and window, exact coverage by a running change, the owner's accident."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_covered_rows")]

    operations = [
        migrations.AddField(
            "governedtable", "window_rows", models.BigIntegerField(default=200), preserve_default=False
        ),
        migrations.RunSQL(
            "UPDATE public.audit_governedtable SET window_rows = greatest(2 * row_limit, 200)", migrations.RunSQL.noop
        ),
        migrations.RunSQL(
            [(SQL / "guard_v1.sql").read_text()],
            [
                "DROP FUNCTION custody.refuse_uncovered(text, bigint, bigint)",
                "DROP FUNCTION custody.coverage(bigint, integer, text, oid, text, text[])",
                "DROP FUNCTION custody.hold_change(bigint, integer)",
                "DROP FUNCTION custody.forget_buckets()",
                "DROP FUNCTION custody.weigh_write(text, integer, jsonb, timestamptz, bigint)",
                "DROP FUNCTION custody.weigh_sum(text, integer, text, timestamptz, bigint, bigint, boolean)",
                "DROP FUNCTION custody.refuse_sum(text, bigint, bigint, text)",
                "DROP FUNCTION custody.exemption(text, integer)",
                "DROP FUNCTION custody.writer(jsonb)",
                "DROP FUNCTION custody.mass_write()",
                "DROP TABLE custody.write_bucket",
            ],
        ),
    ]
