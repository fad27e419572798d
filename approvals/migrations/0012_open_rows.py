"""Two open tickets never hold the same row."""

from pathlib import Path

from django.db import migrations, models

import audit.constraints

SQL = Path(__file__).resolve().parent.parent / "sql"
BACK = """
DROP TRIGGER custody_rows_are_free ON public.approvals_ticket;
DROP FUNCTION custody.rows_are_free();
DROP FUNCTION custody.holds_same_rows(integer, bigint);
DROP FUNCTION custody.shared_key(integer, bigint, smallint, bigint, smallint);
DROP FUNCTION custody.shared_row_many(integer, bigint, smallint, bigint, smallint, bigint, bigint);
DROP FUNCTION custody.shared_row_few(integer, bigint, smallint, bigint, smallint, bigint, bigint);
"""


class Migration(migrations.Migration):
    dependencies = [("approvals", "0011_notices"), ("changes", "0013_holds")]

    operations = [
        migrations.CreateModel(
            name="OpenTable",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "entity", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("tenant_id", models.IntegerField()),
                ("entity", models.CharField(max_length=160)),
                ("change_id", models.BigIntegerField()),
            ],
            options={"verbose_name": "table with tickets", "verbose_name_plural": "tables with tickets"},
        ),
        migrations.AddConstraint(
            model_name="opentable",
            constraint=audit.constraints.TenantPolicy(name="approvals_opentable_tenant_policy"),
        ),
        migrations.RunSQL([(SQL / "open_rows_v1.sql").read_text()], [BACK]),
    ]
