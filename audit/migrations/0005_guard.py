"""Sums per transaction and window, exact coverage by a running change, the owner's accident."""

from pathlib import Path

import django.db.models.functions.datetime
from django.db import migrations, models

import audit.constraints

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_snapshots")]

    operations = [
        migrations.AddField(
            "governedtable", "window_rows", models.BigIntegerField(default=200), preserve_default=False
        ),
        migrations.RunSQL(
            "UPDATE public.audit_governedtable SET window_rows = greatest(2 * row_limit, 200)", migrations.RunSQL.noop
        ),
        migrations.CreateModel(
            name="Exemption",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField()),
                ("entity", models.CharField(max_length=160, verbose_name="table")),
                ("role", models.CharField(max_length=63, verbose_name="database login")),
                ("transaction_rows", models.BigIntegerField(verbose_name="rows per transaction")),
                ("window_rows", models.BigIntegerField(verbose_name="rows within ten minutes")),
                ("reason", models.TextField(verbose_name="reason")),
                ("expires_at", models.DateTimeField(verbose_name="expires")),
                (
                    "asked_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="asked"),
                ),
                ("asked_person_id", models.BigIntegerField()),
                ("asked_name", models.TextField(verbose_name="asked by")),
                ("agreed_at", models.DateTimeField(null=True, verbose_name="agreed")),
                ("agreed_person_id", models.BigIntegerField(null=True)),
                ("agreed_name", models.TextField(blank=True, verbose_name="agreed by")),
                ("withdrawn_at", models.DateTimeField(null=True, verbose_name="withdrawn")),
                ("withdrawn_name", models.TextField(blank=True, verbose_name="withdrawn by")),
            ],
            options={
                "verbose_name": "exemption",
                "verbose_name_plural": "exemptions",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("agreed_person_id", models.F("asked_person_id")), _negated=True),
                        name="audit_exemption_two_persons",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("agreed_at__isnull", True), ("agreed_person_id__isnull", True)),
                            models.Q(("agreed_at__isnull", False), ("agreed_person_id__isnull", False)),
                            _connector="OR",
                        ),
                        name="audit_exemption_agreed_by_a_person",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ("custody_app", "custody_owner")), _negated=True),
                        name="audit_exemption_not_for_custody",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("transaction_rows__gte", 1), ("window_rows__gte", models.F("transaction_rows"))
                        ),
                        name="audit_exemption_rows",
                    ),
                    audit.constraints.TenantKey(name="audit_exemption_tenant_key"),
                    audit.constraints.TenantPolicy(name="audit_exemption_tenant_policy"),
                ],
            },
        ),
        migrations.RunSQL(
            [(SQL / "exemptions_v1.sql").read_text()],
            [
                "DROP POLICY custody_guard ON public.audit_exemption",
                "DROP TRIGGER custody_step ON public.audit_exemption",
                "DROP FUNCTION custody.exemption_step()",
            ],
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
