"""A change can hold itself, be paced, be tried on a few rows, be retried, and go back to voting."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

import audit.constraints
from audit.written import function_as_written

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0005_guard"),
        ("changes", "0007_coverage"),
    ]

    operations = [
        migrations.RunSQL(
            migrations.RunSQL.noop,
            [
                function_as_written(SQL / "guards_v5.sql", "change_step"),
                function_as_written(SQL / "coverage_v1.sql", "hold_change"),
            ],
        ),
        migrations.AddField(
            model_name="change",
            name="canary",
            field=models.CharField(
                blank=True,
                choices=[
                    ("trying", "trying"),
                    ("watching", "watching"),
                    ("passed", "passed"),
                    ("taking_back", "being taken back"),
                ],
                db_default="",
                default="",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="change",
            name="canary_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="change",
            name="chunk_rows",
            field=models.IntegerField(null=True),
        ),
        migrations.AddField(
            model_name="change",
            name="drift",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="change",
            name="drift_accepted",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="change",
            name="held",
            field=models.CharField(
                blank=True,
                choices=[
                    ("person", "paused by a person"),
                    ("window", "outside of its window"),
                    ("schema_moved", "its table has changed"),
                    ("canary", "its trial needs a look"),
                ],
                db_default="",
                default="",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="change",
            name="held_facts",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="change",
            name="resumed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="change",
            name="retry_of",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="retries",
                to="changes.change",
            ),
        ),
        migrations.AddField(
            model_name="change",
            name="rows_per_second",
            field=models.IntegerField(null=True),
        ),
        migrations.AddField(
            model_name="change",
            name="schema_seen",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="lane",
            name="canary",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="lane",
            name="held_ms",
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="lane",
            name="not_before",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="lane",
            name="taken_back",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="lane",
            name="waiting",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="lane",
            name="waiting_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="skippedrow",
            name="reason",
            field=models.CharField(
                choices=[
                    ("changed_since", "changed since it was frozen"),
                    ("gone", "no longer there"),
                    ("unique_taken", "a unique value is taken by another row"),
                    ("parent_deleted", "the row it belongs to is deleted"),
                    ("key_reused", "its key is in use again"),
                    ("dependants", "other rows hang on it"),
                    ("column_gone", "the column is no longer there"),
                    ("error", "refused by the database"),
                    ("recreated", "deleted and added again since it was frozen"),
                    ("taken_back", "changed as a trial and taken back"),
                ],
                max_length=32,
            ),
        ),
        migrations.AddConstraint(
            model_name="change",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("retry_of__isnull", False),
                    ("state__in", ["frozen", "waiting", "cleared", "running", "cancelling", "paused"]),
                ),
                fields=("tenant_id", "retry_of"),
                name="changes_change_one_open_retry",
            ),
        ),
        migrations.AddConstraint(
            model_name="change",
            constraint=audit.constraints.TenantForeignKey(
                column="retry_of_id", name="changes_change_retry_tenant_fk", target="changes_change", target_column="id"
            ),
        ),
        migrations.RunSQL([(SQL / "guards_v6.sql").read_text()], migrations.RunSQL.noop),
    ]
