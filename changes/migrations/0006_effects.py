"""More effects, operations that a project adds, and how many others must agree however few the rows are."""

from pathlib import Path

from django.db import migrations, models

import changes.models
from audit.written import function_as_written

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("changes", "0005_paused")]

    operations = [
        migrations.RemoveConstraint(model_name="change", name="changes_change_operation_known"),
        migrations.AddField(
            model_name="change",
            name="approvals_least",
            field=models.SmallIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name="change",
            name="operation",
            field=models.CharField(choices=changes.models.operation_choices, max_length=16, verbose_name="operation"),
        ),
        migrations.AlterField(
            model_name="changepart",
            name="effect",
            field=models.CharField(
                choices=[
                    ("delete", "deleted"),
                    ("clear", "kept, link cleared"),
                    ("revert", "brought back"),
                    ("recall", "brought back to a version"),
                    ("set", "updated"),
                    ("add", "added"),
                    ("link", "linked again"),
                    ("remove", "removed for good"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="skippedrow",
            name="reason",
            field=models.CharField(
                choices=[
                    ("changed_since", "changed since it was frozen"),
                    ("gone", "no longer there"),
                    ("unique_taken", "a unique value is taken by another row"),
                    ("parent_deleted", "the row it belongs to is deleted"),
                    ("key_reused", "its key is in use again"),
                    ("dependants", "other rows hang on it"),
                    ("column_gone", "the column is no longer there"),
                    ("error", "refused by the database"),
                ],
                max_length=32,
            ),
        ),
        migrations.AddConstraint(
            model_name="change",
            constraint=models.CheckConstraint(
                condition=models.Q(("approvals_least__gte", 0)), name="changes_change_approvals_least"
            ),
        ),
        migrations.RunSQL(
            [(SQL / "guards_v5.sql").read_text()], [function_as_written(SQL / "guards_v4.sql", "change_step")]
        ),
    ]
