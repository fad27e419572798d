"""SQL of the last guard inside a capture function: weigh what the statement touched, or see that a running change covers it.

Read by `audit.capture` and `audit.adoption.capture`, whose variables it uses (adoption's begin with `v_`). The
transition tables are `before` and `changed`; the rules themselves are the functions of `audit/sql/guard_v1.sql` and
`guard_v2.sql`.
"""

from __future__ import annotations

from collections.abc import Sequence

from audit.names import literal

# The guard's own variables, to be declared beside context, change, tenant, at and amount.
VARIABLES = "{v}facts jsonb;\n  {v}said text := custody.mass_write();\n  {v}query text;\n  {v}covered boolean := false;"


def variables(prefix: str = "") -> str:
    """Declarations of the guard's own variables."""
    return VARIABLES.format(v=prefix)


def guard(
    *, place: str, keys: Sequence[str], operation: str, rows: str, prefix: str = "", leave: str = "RETURN NULL;"
) -> str:
    """Statements that count the rows, refuse the statement or leave what its event says; `leave` when there is no row.

    `place` and `rows` are SQL: the table's name as a literal, and where its touched rows are read.
    """
    v = prefix
    weigh = f"{v}facts := custody.weigh_write({place}, {v}tenant, {v}context, {v}at, {v}amount);"
    covered = "" if operation == "truncate" else _covered(place, keys, operation, rows, leave, v)
    return f"""  IF {v}said IS NOT NULL THEN
    IF NOT EXISTS (SELECT FROM {rows}) THEN {leave} END IF;
    {v}facts := jsonb_build_object('mass_write', {v}said);
{covered}  ELSE
    SELECT count(*) INTO {v}amount FROM {rows};
    IF {v}amount = 0 THEN {leave} END IF;
    {weigh}
  END IF;
"""


def _covered(place: str, keys: Sequence[str], operation: str, rows: str, leave: str, v: str) -> str:
    code = "-" if operation == "delete" else "~"
    names = ", ".join(literal(key) for key in keys)
    return f"""  ELSIF {v}change IS NOT NULL AND custody.hold_change({v}change, {v}tenant) THEN
    IF NOT EXISTS (SELECT FROM {rows}) THEN {leave} END IF;
    FOR {v}query IN
      SELECT q FROM custody.coverage({v}change, {v}tenant, {place}, TG_RELID, '{code}', ARRAY[{names}]) q
    LOOP
      EXECUTE {v}query INTO {v}covered;
      EXIT WHEN {v}covered;
    END LOOP;
    IF NOT {v}covered THEN PERFORM custody.refuse_uncovered({place}, {v}change, (SELECT count(*) FROM {rows})); END IF;
"""
