"""A change can be paused."""

from pathlib import Path

from django.db import migrations, models

from audit.written import function_as_written

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("changes", "0004_covered_rows")]

    operations = [
        migrations.RunSQL(
            [(SQL / "guards_v4.sql").read_text()], [function_as_written(SQL / "guards_v2.sql", "change_step")]
        ),
        migrations.RemoveConstraint(
            model_name="change",
            name="changes_change_state_known",
        ),
        migrations.RemoveConstraint(
            model_name="change",
            name="changes_change_one_open_undo",
        ),
        migrations.AlterField(
            model_name="change",
            name="state",
            field=models.CharField(
                choices=[
                    ("draft", "draft"),
                    ("frozen", "frozen"),
                    ("waiting", "waiting for approval"),
                    ("cleared", "ready to start"),
                    ("running", "running"),
                    ("paused", "paused"),
                    ("cancelling", "stopping"),
                    ("done", "done"),
                    ("cancelled", "stopped"),
                    ("failed", "failed"),
                    ("refused", "refused"),
                ],
                max_length=16,
                verbose_name="state",
            ),
        ),
        migrations.AddConstraint(
            model_name="change",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "draft",
                            "frozen",
                            "waiting",
                            "cleared",
                            "running",
                            "paused",
                            "cancelling",
                            "done",
                            "cancelled",
                            "failed",
                            "refused",
                        ],
                    )
                ),
                name="changes_change_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="change",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("undo_of__isnull", False),
                    ("state__in", ["frozen", "waiting", "cleared", "running", "cancelling", "paused"]),
                ),
                fields=("tenant_id", "undo_of"),
                name="changes_change_one_open_undo",
            ),
        ),
    ]
