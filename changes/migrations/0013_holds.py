"""Legal holds: rows that no change touches, refused by the database too."""

from pathlib import Path

import django.db.models.functions.datetime
from django.db import migrations, models

import audit.constraints
from audit.written import function_as_written

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0005_guard"),
        ("changes", "0012_preflight"),
    ]

    operations = [
        migrations.AlterField(
            model_name="importrow",
            name="reason",
            field=models.CharField(
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
                    ("legal_hold", "under a legal hold"),
                ],
                max_length=32,
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
                    ("legal_hold", "under a legal hold"),
                ],
                max_length=32,
            ),
        ),
        migrations.CreateModel(
            name="Hold",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField()),
                ("name", models.CharField(max_length=200, verbose_name="name")),
                ("matter", models.CharField(max_length=80, verbose_name="matter number")),
                ("reason", models.TextField(verbose_name="reason")),
                (
                    "scope",
                    models.CharField(
                        choices=[("rows", "selected rows"), ("table", "the whole table"), ("tenant", "every table")],
                        max_length=16,
                        verbose_name="what is held",
                    ),
                ),
                ("entity", models.CharField(blank=True, max_length=160, verbose_name="table")),
                ("selection", models.JSONField(default=dict)),
                ("rows", models.BigIntegerField(default=0, verbose_name="rows")),
                (
                    "placed_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="placed"),
                ),
                ("placed_person_id", models.BigIntegerField()),
                ("placed_name", models.TextField(verbose_name="placed by")),
                ("lifted_at", models.DateTimeField(null=True, verbose_name="lifted")),
                ("lifted_person_id", models.BigIntegerField(null=True)),
                ("lifted_name", models.TextField(blank=True, verbose_name="lifted by")),
                ("lifted_reason", models.TextField(blank=True)),
            ],
            options={
                "verbose_name": "legal hold",
                "verbose_name_plural": "legal holds",
                "indexes": [
                    models.Index(
                        condition=models.Q(("lifted_at__isnull", True)),
                        fields=["tenant_id", "entity"],
                        name="changes_hold_active",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("lifted_person_id__isnull", True),
                            models.Q(("lifted_person_id", models.F("placed_person_id")), _negated=True),
                            _connector="OR",
                        ),
                        name="changes_hold_two_persons",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("lifted_at__isnull", True), ("lifted_person_id__isnull", True)),
                            models.Q(("lifted_at__isnull", False), ("lifted_person_id__isnull", False)),
                            _connector="OR",
                        ),
                        name="changes_hold_lifted_by_a_person",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("entity", ""), ("scope", "tenant")),
                            models.Q(("scope__in", ("rows", "table")), models.Q(("entity", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="changes_hold_scope",
                    ),
                    audit.constraints.TenantKey(name="changes_hold_tenant_key"),
                    audit.constraints.TenantPolicy(name="changes_hold_tenant_policy"),
                ],
            },
        ),
        migrations.CreateModel(
            name="HeldRow",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "hold_id", "key", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("tenant_id", models.IntegerField()),
                ("hold_id", models.BigIntegerField()),
                ("key", models.TextField()),
            ],
            options={
                "verbose_name": "row on hold",
                "verbose_name_plural": "rows on hold",
                "constraints": [
                    audit.constraints.TenantPolicy(name="changes_heldrow_tenant_policy"),
                    audit.constraints.TenantForeignKey(
                        column="hold_id",
                        name="changes_heldrow_hold_tenant_fk",
                        target="changes_hold",
                        target_column="id",
                    ),
                ],
            },
        ),
        migrations.RunSQL(
            [(SQL / "holds_v1.sql").read_text()],
            [
                "DROP TRIGGER custody_hold ON public.changes_lane",
                "DROP TRIGGER custody_step ON public.changes_hold",
                "DROP FUNCTION custody.refuse_held()",
                "DROP FUNCTION custody.hold_step()",
                "DROP FUNCTION custody.is_held(integer, text, bigint, jsonb)",
            ],
        ),
        migrations.RunSQL(
            [(SQL / "purge_v2.sql").read_text()], [function_as_written(SQL / "purge_v1.sql", "remove_rows")]
        ),
    ]
