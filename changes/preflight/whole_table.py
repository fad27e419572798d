"""Whether the conditions leave nothing out."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from changes.preflight.base import PASS, WARN, Check, Finding, Subject


def ask(subject: Subject) -> Finding:
    plan = subject.plan
    assert plan is not None
    whole = plan.rows_selected > 1 and plan.rows_selected == plan.table_rows
    code = "whole_table" if whole else "part_of_table"
    return Finding("whole_table", WARN if whole else PASS, code, {"rows": plan.table_rows})


CHECK = Check(name="whole_table", label=_("Share"), ask=ask, planned=True)
