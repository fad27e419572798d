"""A vote records the proof it rests on."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

SQL = Path(__file__).resolve().parent.parent / "sql"
BACK = [
    "DROP TRIGGER custody_proof ON public.approvals_vote",
    "DROP TRIGGER custody_proof ON public.audit_exemption",
    "DROP FUNCTION custody.vote_proof(), custody.agreement_proof()",
]


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0003_proofs"),
        ("approvals", "0009_rule_guards"),
        ("audit", "0005_guard"),
    ]

    operations = [
        migrations.AddField(
            model_name="vote",
            name="proof",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="votes",
                to="access.proof",
                verbose_name="proof",
            ),
        ),
        migrations.RunSQL([(SQL / "guards_v7.sql").read_text()], BACK),
    ]
