"""Lines of imported files, and what becomes of them."""

from pathlib import Path

from django.db import migrations, models

import audit.constraints

SQL = Path(__file__).resolve().parent.parent / "sql"
REVERSE = [
    "DROP TRIGGER custody_frozen_insert ON changes_importrow",
    "DROP TRIGGER custody_frozen_update ON changes_importrow",
    "DROP TRIGGER custody_frozen_delete ON changes_importrow",
]


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0005_guard"),
        ("changes", "0008_held_and_paced"),
    ]

    operations = [
        migrations.AlterField(
            model_name="changepart",
            name="effect",
            field=models.CharField(
                choices=[
                    ("delete", "deleted"),
                    ("clear", "kept, link cleared"),
                    ("revert", "brought back"),
                    ("recall", "brought back to a version"),
                    ("set", "updated"),
                    ("add", "added"),
                    ("link", "linked again"),
                    ("load", "updated from the file"),
                    ("create", "added from the file"),
                    ("remove", "removed for good"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="skippedrow",
            name="reason",
            field=models.CharField(
                choices=[
                    ("changed_since", "changed since it was frozen"),
                    ("gone", "no longer there"),
                    ("deleted", "it is in the recycle bin"),
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
        migrations.CreateModel(
            name="ImportRow",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "change_id", "line", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("change_id", models.BigIntegerField()),
                ("line", models.BigIntegerField()),
                ("position", models.BigIntegerField(null=True)),
                ("tenant_id", models.IntegerField()),
                ("part", models.SmallIntegerField(null=True)),
                (
                    "verdict",
                    models.CharField(
                        choices=[
                            ("new", "new row"),
                            ("changed", "changes a row"),
                            ("same", "nothing to do"),
                            ("conflict", "in conflict"),
                            ("wrong", "wrong"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("changed_since", "changed since it was frozen"),
                            ("gone", "no longer there"),
                            ("deleted", "it is in the recycle bin"),
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
                ("detail", models.TextField(blank=True)),
                ("values", models.JSONField()),
                ("fresh", models.JSONField(null=True)),
                ("key", models.JSONField(null=True)),
                ("problems", models.JSONField(default=list)),
            ],
            options={
                "verbose_name": "imported line",
                "verbose_name_plural": "imported lines",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("verdict__in", ["new", "changed", "same", "conflict", "wrong"])),
                        name="changes_importrow_verdict_known",
                    ),
                    audit.constraints.TenantPolicy(name="changes_importrow_tenant_policy"),
                    audit.constraints.TenantForeignKey(
                        column="change_id",
                        name="changes_importrow_change_tenant_fk",
                        target="changes_change",
                        target_column="id",
                    ),
                ],
            },
        ),
        migrations.RunSQL([(SQL / "import_rows_v1.sql").read_text()], REVERSE),
    ]
