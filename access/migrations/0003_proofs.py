"""Proofs of who one is, what they were used for, and the actions that ask for one."""

from pathlib import Path

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

SQL = Path(__file__).resolve().parent.parent / "sql"
BACK = [
    "DROP TRIGGER custody_kept ON public.access_proof",
    "DROP TRIGGER custody_emptied ON public.access_proof",
    "DROP FUNCTION custody.use_proof(text, text), custody.proof_holds(text, bigint, bigint, bigint), "
    "custody.fresh_proof(text, bigint, bigint), custody.record_proof(text, text)",
]


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0002_roles"),
        ("audit", "0002_events"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="SpentCode",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("step", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "used code",
                "verbose_name_plural": "used codes",
            },
        ),
        migrations.CreateModel(
            name="StepUpRule",
            fields=[
                ("action", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("seconds", models.IntegerField()),
                (
                    "methods",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=16), size=None),
                ),
            ],
            options={
                "verbose_name": "action that asks for a proof",
                "verbose_name_plural": "actions that ask for a proof",
            },
        ),
        migrations.CreateModel(
            name="Proof",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                ("person_id", models.BigIntegerField(null=True)),
                (
                    "method",
                    models.CharField(
                        choices=[("password", "password"), ("code", "code of an app"), ("passkey", "passkey")],
                        max_length=16,
                        verbose_name="how",
                    ),
                ),
                ("session", models.CharField(max_length=64)),
                ("asked_for", models.CharField(max_length=100)),
                ("proved_at", models.DateTimeField(verbose_name="time")),
            ],
            options={
                "verbose_name": "proof",
                "verbose_name_plural": "proofs",
                "indexes": [models.Index(fields=["user_id", "-proved_at"], name="access_proof_newest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("method__in", ["password", "code", "passkey"])), name="access_proof_method"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ProofUse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("action", models.CharField(max_length=100)),
                ("resource", models.CharField(max_length=200)),
                ("used_at", models.DateTimeField()),
                (
                    "proof",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="uses", to="access.proof"
                    ),
                ),
            ],
            options={
                "verbose_name": "use of a proof",
                "verbose_name_plural": "uses of proofs",
            },
        ),
        migrations.RunSQL([(SQL / "proofs_v1.sql").read_text()], BACK),
    ]
