"""The database evaluates the rules, and does what amendments were agreed to."""

from pathlib import Path

from django.db import migrations

from audit.written import function_as_written

SQL = Path(__file__).resolve().parent.parent / "sql"
BACK = """
DROP TRIGGER custody_rule ON public.approvals_ticket;
DROP TRIGGER custody_vote_allowed ON public.approvals_vote;
DROP FUNCTION custody.ticket_rule(), custody.vote_allowed(), custody.may_decide(integer, bigint, bigint, bigint), custody.is_agreed(integer, bigint, boolean),
  custody.counted(integer, bigint, boolean), custody.stages(jsonb, integer),
  custody.entitled(integer, bigint, bigint, text), custody.change_facts(integer, bigint),
  custody.required(integer, jsonb), custody.rules_in_force(integer),
  custody.required_by(jsonb, jsonb, public.approvals_house), custody.risk(jsonb, public.approvals_house),
  custody.listed(jsonb, text);
"""
BACK_AMENDMENTS = """
DROP TRIGGER custody_by_amendment ON public.auth_user_groups;
DROP TRIGGER custody_by_amendment ON public.auth_group;
DROP TRIGGER custody_by_amendment ON public.access_account;
DROP TRIGGER custody_enact ON public.approvals_amendment;
DROP TRIGGER custody_step ON public.approvals_amendment;
DROP FUNCTION custody.by_amendment(), custody.enact(), custody.amendment_step(), custody.may_agree(integer, bigint, bigint);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0008_rules"),
        ("access", "0002_roles"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("changes", "0010_purge"),
    ]

    operations = [
        migrations.RunSQL(
            [(SQL / "rules_v1.sql").read_text()],
            [
                function_as_written(SQL / "guards_v6.sql", "clearance"),
                function_as_written(SQL / "guards_v5.sql", "ticket_step"),
                BACK,
            ],
        ),
        migrations.RunSQL([(SQL / "amendments_v1.sql").read_text()], [BACK_AMENDMENTS]),
    ]
