"""Each run of the checks is kept: what was found, when, and for whose step."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import audit.constraints


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0005_guard"),
        ("changes", "0011_coverage_in_order"),
    ]

    operations = [
        migrations.CreateModel(
            name="PreflightRun",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField()),
                ("moment", models.CharField(max_length=16)),
                (
                    "made_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="time"),
                ),
                ("person_id", models.BigIntegerField(null=True)),
                ("name", models.TextField(verbose_name="who")),
                ("findings", models.JSONField(default=list)),
                ("blocked", models.BooleanField(default=False)),
                (
                    "change",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="preflight_runs",
                        to="changes.change",
                    ),
                ),
            ],
            options={
                "verbose_name": "run of the checks",
                "verbose_name_plural": "runs of the checks",
                "indexes": [models.Index(fields=["tenant_id", "change", "id"], name="changes_preflightrun_change")],
                "constraints": [
                    audit.constraints.TenantKey(name="changes_preflightrun_tenant_key"),
                    audit.constraints.TenantPolicy(name="changes_preflightrun_tenant_policy"),
                    audit.constraints.TenantForeignKey(
                        column="change_id",
                        name="changes_preflightrun_change_tenant_fk",
                        target="changes_change",
                        target_column="id",
                    ),
                ],
            },
        ),
    ]
