"""Eras, ticks and snapshots."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

import audit.constraints
import audit.fields

SQL = Path(__file__).resolve().parent.parent / "sql"
REVERSE = [
    "DROP FUNCTION custody.tidy_snapshots()",
    "DROP TRIGGER custody_once ON audit_snapshottable",
    "DROP TRIGGER custody_stays ON audit_snapshot",
    "DROP TRIGGER custody_stamp ON audit_snapshot",
    "DROP FUNCTION custody.measured_once(), custody.snapshot_stays(), custody.stamp_snapshot()",
    "DROP FUNCTION custody.event_floor(integer, pg_snapshot), custody.tick(), custody.open_era()",
    "DROP FUNCTION custody.system_identifier()",
]


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0003_covered_rows"),
    ]

    operations = [
        migrations.CreateModel(
            name="Era",
            fields=[
                ("number", models.IntegerField(primary_key=True, serialize=False)),
                ("system_identifier", models.BigIntegerField()),
                ("began_at", models.DateTimeField()),
                ("first_event_id", models.BigIntegerField()),
                ("is_exact", models.BooleanField()),
                ("xid", audit.fields.Xid8Field()),
            ],
            options={
                "verbose_name": "era",
                "verbose_name_plural": "eras",
            },
        ),
        migrations.CreateModel(
            name="Snapshot",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField()),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                (
                    "kind",
                    models.CharField(
                        choices=[("named", "named"), ("daily", "daily"), ("before_run", "before a run")],
                        max_length=16,
                        verbose_name="kind",
                    ),
                ),
                ("era", models.IntegerField(editable=False)),
                ("system_identifier", models.BigIntegerField(editable=False)),
                ("pg_snapshot", audit.fields.PgSnapshotField(editable=False)),
                ("event_floor", models.BigIntegerField(editable=False)),
                ("taken_at", models.DateTimeField(editable=False, verbose_name="taken")),
                ("taken_by_id", models.BigIntegerField(null=True)),
                ("person_id", models.BigIntegerField(null=True)),
                ("taken_by_name", models.TextField(verbose_name="taken by")),
                ("change_id", models.BigIntegerField(null=True)),
                ("note", models.TextField(blank=True, verbose_name="note")),
                ("kept_until", models.DateTimeField(null=True, verbose_name="kept until")),
                ("hold", models.BooleanField(default=False, verbose_name="held")),
            ],
            options={
                "verbose_name": "snapshot",
                "verbose_name_plural": "snapshots",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["named", "daily", "before_run"])),
                        name="audit_snapshot_kind_known",
                    ),
                    models.UniqueConstraint(fields=("tenant_id", "kind", "name"), name="audit_snapshot_name"),
                    audit.constraints.TenantKey(name="audit_snapshot_tenant_key"),
                    audit.constraints.TenantPolicy(name="audit_snapshot_tenant_policy"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Tick",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("era", models.IntegerField()),
                ("xid", audit.fields.Xid8Field()),
                ("snapshot", audit.fields.PgSnapshotField()),
                ("last_event", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "tick",
                "verbose_name_plural": "ticks",
                "indexes": [
                    models.Index(fields=["at", "id"], name="audit_tick_at"),
                    models.Index(fields=["era", "xid"], name="audit_tick_era_xid"),
                ],
            },
        ),
        migrations.CreateModel(
            name="SnapshotTable",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField()),
                ("entity", models.CharField(max_length=160, verbose_name="table")),
                ("columns", models.JSONField()),
                ("schema_fingerprint", models.CharField(max_length=64)),
                ("rows", models.BigIntegerField(null=True, verbose_name="rows")),
                ("live_rows", models.BigIntegerField(null=True, verbose_name="live rows")),
                ("checksum", models.CharField(blank=True, max_length=40, verbose_name="checksum")),
                ("measured_at", models.DateTimeField(null=True)),
                (
                    "snapshot",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tables",
                        to="audit.snapshot",
                    ),
                ),
            ],
            options={
                "verbose_name": "table of a snapshot",
                "verbose_name_plural": "tables of a snapshot",
                "ordering": ["id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant_id", "snapshot", "entity"), name="audit_snapshottable_once"
                    ),
                    audit.constraints.TenantKey(name="audit_snapshottable_tenant_key"),
                    audit.constraints.TenantPolicy(name="audit_snapshottable_tenant_policy"),
                    audit.constraints.TenantForeignKey(
                        column="snapshot_id",
                        name="audit_snapshottable_snapshot_fk",
                        target="audit_snapshot",
                        target_column="id",
                    ),
                ],
            },
        ),
        migrations.RunSQL([(SQL / "snapshots_v1.sql").read_text()], REVERSE),
    ]
