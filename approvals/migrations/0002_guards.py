"""The rules of this app once more, in the database."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
REVERSE = [
    "ALTER TABLE approvals_vote DROP CONSTRAINT approvals_vote_ticket_fk",
    "ALTER TABLE approvals_ticket DROP CONSTRAINT approvals_ticket_one_per_change, "
    "ADD CONSTRAINT approvals_ticket_change_id_key UNIQUE (change_id)",
    "DROP TRIGGER custody_clearance ON changes_change",
    "DROP TRIGGER custody_step ON approvals_ticket",
    "DROP FUNCTION custody.clearance(), custody.ticket_step()",
]


class Migration(migrations.Migration):
    dependencies = [("approvals", "0001_initial")]

    operations = [migrations.RunSQL([(SQL / "guards_v1.sql").read_text()], REVERSE)]
