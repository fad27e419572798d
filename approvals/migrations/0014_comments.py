"""Comments beside tickets, and who watches them."""

from pathlib import Path

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import audit.constraints

SQL = Path(__file__).resolve().parent.parent / "sql"
BACK = """
DROP TRIGGER custody_time ON public.approvals_comment;
DROP TRIGGER custody_edit ON public.approvals_comment;
DROP FUNCTION custody.comment_time();
DROP FUNCTION custody.comment_edit();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0013_life"),
        ("audit", "0005_guard"),
    ]

    operations = [
        migrations.CreateModel(
            name="Comment",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField()),
                ("person_id", models.BigIntegerField()),
                ("user_id", models.BigIntegerField()),
                ("name", models.TextField(verbose_name="who")),
                ("text", models.TextField(verbose_name="comment")),
                ("mentions", models.JSONField(default=list)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="time"),
                ),
                (
                    "edit_of",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="edits",
                        to="approvals.comment",
                    ),
                ),
                (
                    "ticket",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="comments",
                        to="approvals.ticket",
                    ),
                ),
            ],
            options={
                "verbose_name": "comment",
                "verbose_name_plural": "comments",
                "ordering": ["id"],
                "indexes": [models.Index(fields=["tenant_id", "ticket", "id"], name="approvals_comment_ticket")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("text", ""), _negated=True), name="approvals_comment_says_something"
                    ),
                    audit.constraints.TenantKey(name="approvals_comment_tenant_key"),
                    audit.constraints.TenantPolicy(name="approvals_comment_tenant_policy"),
                    audit.constraints.TenantForeignKey(
                        column="ticket_id",
                        name="approvals_comment_ticket_tenant_fk",
                        target="approvals_ticket",
                        target_column="id",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Watcher",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField()),
                ("person_id", models.BigIntegerField()),
                ("name", models.TextField(verbose_name="who")),
                (
                    "why",
                    models.CharField(
                        choices=[
                            ("asked", "asked to watch"),
                            ("commented", "commented"),
                            ("mentioned", "was mentioned"),
                            ("escalated", "it was escalated"),
                        ],
                        max_length=16,
                    ),
                ),
                ("watching", models.BooleanField(db_default=True, default=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="time"),
                ),
                (
                    "ticket",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="watchers",
                        to="approvals.ticket",
                    ),
                ),
            ],
            options={
                "verbose_name": "watcher",
                "verbose_name_plural": "watchers",
                "ordering": ["id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("why__in", ["asked", "commented", "mentioned", "escalated"])),
                        name="approvals_watcher_why_known",
                    ),
                    models.UniqueConstraint(fields=("tenant_id", "ticket", "person_id"), name="approvals_watcher_once"),
                    audit.constraints.TenantKey(name="approvals_watcher_tenant_key"),
                    audit.constraints.TenantPolicy(name="approvals_watcher_tenant_policy"),
                    audit.constraints.TenantForeignKey(
                        column="ticket_id",
                        name="approvals_watcher_ticket_tenant_fk",
                        target="approvals_ticket",
                        target_column="id",
                    ),
                ],
            },
        ),
        migrations.RunSQL([(SQL / "comments_v1.sql").read_text()], [BACK]),
    ]
