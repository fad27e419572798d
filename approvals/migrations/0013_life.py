"""The published life of a ticket, sent back among its states, and whoever has a hand in a change."""

from pathlib import Path

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import audit.constraints
from audit.written import function_as_written

SQL = Path(__file__).resolve().parent.parent / "sql"
BACK = """
DROP TRIGGER custody_outsider ON public.approvals_vote;
DROP TRIGGER custody_contributed ON public.changes_change;
DROP TRIGGER custody_contributed_again ON public.changes_change;
DROP TRIGGER custody_ticket ON public.changes_change;
DROP TRIGGER custody_rows_are_free_again ON public.approvals_ticket;
DROP TRIGGER custody_again ON public.approvals_ticket;
DROP TRIGGER custody_life ON public.approvals_ticket;
DROP FUNCTION custody.vote_of_an_outsider();
DROP FUNCTION custody.contributed();
DROP FUNCTION custody.change_of_ticket();
DROP FUNCTION custody.ticket_rule_again();
DROP FUNCTION custody.ticket_life();
DROP FUNCTION custody.ticket_may(text, text);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0012_open_rows"),
        ("audit", "0005_guard"),
        ("changes", "0014_sent_back"),
    ]

    operations = [
        migrations.CreateModel(
            name="Contributor",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField()),
                ("person_id", models.BigIntegerField()),
                ("name", models.TextField(verbose_name="who")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="time"),
                ),
            ],
            options={
                "verbose_name": "contributor",
                "verbose_name_plural": "contributors",
            },
        ),
        migrations.AlterField(
            model_name="ticket",
            name="state",
            field=models.CharField(
                choices=[
                    ("pending", "waiting"),
                    ("approved", "approved"),
                    ("rejected", "rejected"),
                    ("sent_back", "sent back"),
                    ("withdrawn", "withdrawn"),
                    ("expired", "expired"),
                ],
                default="pending",
                max_length=16,
                verbose_name="state",
            ),
        ),
        migrations.AddConstraint(
            model_name="ticket",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["pending", "approved", "rejected", "sent_back", "withdrawn", "expired"])
                ),
                name="approvals_ticket_state_known",
            ),
        ),
        migrations.AddField(
            model_name="contributor",
            name="change",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="contributors",
                to="changes.change",
            ),
        ),
        migrations.AddConstraint(
            model_name="contributor",
            constraint=models.UniqueConstraint(
                fields=("tenant_id", "change", "person_id"), name="approvals_contributor_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="contributor",
            constraint=audit.constraints.TenantKey(name="approvals_contributor_tenant_key"),
        ),
        migrations.AddConstraint(
            model_name="contributor",
            constraint=audit.constraints.TenantPolicy(name="approvals_contributor_tenant_policy"),
        ),
        migrations.AddConstraint(
            model_name="contributor",
            constraint=audit.constraints.TenantForeignKey(
                column="change_id",
                name="approvals_contributor_change_tenant_fk",
                target="changes_change",
                target_column="id",
            ),
        ),
        migrations.RunSQL(
            [(SQL / "life_v1.sql").read_text()], [BACK, function_as_written(SQL / "rules_v1.sql", "ticket_step")]
        ),
    ]
