"""Cold storage: what lies there, and how long a deleted row stays before it may go there."""

from pathlib import Path

from django.db import migrations, models

import audit.constraints

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0005_guard"),
    ]

    operations = [
        migrations.CreateModel(
            name="RetentionPolicy",
            fields=[
                ("name", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("keep", models.DurationField()),
            ],
            options={
                "verbose_name": "retention policy",
                "verbose_name_plural": "retention policies",
            },
        ),
        migrations.CreateModel(
            name="ArchiveFile",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField()),
                ("change_id", models.BigIntegerField(verbose_name="change")),
                ("part", models.SmallIntegerField()),
                ("number", models.IntegerField()),
                ("entity", models.CharField(max_length=160, verbose_name="table")),
                ("lo", models.BigIntegerField()),
                ("hi", models.BigIntegerField()),
                ("frozen", models.BigIntegerField()),
                ("rows", models.BigIntegerField(verbose_name="rows")),
                ("bytes", models.BigIntegerField(verbose_name="bytes")),
                ("sha256", models.CharField(max_length=64, verbose_name="SHA-256")),
                ("schema_fingerprint", models.CharField(max_length=64)),
                ("path", models.TextField(verbose_name="file")),
                ("verified_at", models.DateTimeField(verbose_name="verified")),
            ],
            options={
                "verbose_name": "archive file",
                "verbose_name_plural": "archive files",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant_id", "change_id", "part", "lo"), name="audit_archivefile_range"
                    ),
                    audit.constraints.TenantKey(name="audit_archivefile_tenant_key"),
                    audit.constraints.AppendOnly(name="audit_archivefile_append_only", tenant="tenant_id"),
                ],
            },
        ),
        migrations.RunSQL([(SQL / "retention_v1.sql").read_text()], ["DROP FUNCTION custody.retention(text)"]),
    ]
