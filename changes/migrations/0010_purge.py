"""Rows are removed for good: by the owner's functions, for an approved purge, after they lie in cold storage."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("changes", "0009_import_rows"),
        ("audit", "0006_archive"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="lane",
            name="changes_lane_range",
        ),
        migrations.AddField(
            model_name="lane",
            name="kind",
            field=models.CharField(
                choices=[("rows", "Rows"), ("archive", "Archive")], db_default="rows", default="rows", max_length=16
            ),
        ),
        migrations.AddConstraint(
            model_name="change",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("operation", "purge"), _negated=True),
                    ("state__in", ["draft", "refused"]),
                    ("approvals_least__gte", 1),
                    _connector="OR",
                ),
                name="changes_change_purge_is_agreed",
            ),
        ),
        migrations.AddConstraint(
            model_name="lane",
            constraint=models.UniqueConstraint(
                fields=("tenant_id", "change", "part", "kind", "lo"), name="changes_lane_range"
            ),
        ),
        migrations.RunSQL(
            [(SQL / "purge_v1.sql").read_text()],
            [
                "DROP FUNCTION custody.remove_rows(bigint, integer, bigint, bigint)",
                "DROP FUNCTION custody.record_archive(bigint, integer, bigint, bigint, bigint, bigint, text, text, text)",
                "DROP FUNCTION custody.is_archived(bigint)",
                "DROP FUNCTION custody.removal(bigint, integer)",
            ],
        ),
    ]
