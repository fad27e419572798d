"""Votes belong to a round of their ticket."""

from pathlib import Path

from django.db import migrations, models

from audit.written import function_as_written

SQL = Path(__file__).resolve().parent.parent / "sql"
BACK = """
DROP TRIGGER custody_round ON public.approvals_vote;
DROP FUNCTION custody.vote_round();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0005_approvals_least"),
        ("changes", "0008_held_and_paced"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="vote",
            name="approvals_vote_one_per_person",
        ),
        migrations.AddField(
            model_name="ticket",
            name="round",
            field=models.SmallIntegerField(db_default=1, default=1, verbose_name="round"),
        ),
        migrations.AddField(
            model_name="vote",
            name="round",
            field=models.SmallIntegerField(db_default=1, default=1, verbose_name="round"),
        ),
        migrations.AddConstraint(
            model_name="vote",
            constraint=models.UniqueConstraint(
                fields=("tenant_id", "ticket", "round", "person_id"), name="approvals_vote_one_per_person"
            ),
        ),
        migrations.RunSQL(
            [(SQL / "guards_v5.sql").read_text()],
            [
                BACK,
                function_as_written(SQL / "guards_v2.sql", "ticket_step"),
                function_as_written(SQL / "guards_v4.sql", "clearance"),
            ],
        ),
    ]
