"""SQL of the capture: statement triggers with transition tables that fill history and events.

One `INSERT … SELECT` of history rows and one audit event per statement, whatever the statement came
from. Versioned: a migration names the version of its triggers; a changed body is a new version, never an edit.

1  the first one
2  reads the changed rows as few times as possible, writes its event itself, and guards the key after the
   statement: a BEFORE trigger makes PostgreSQL lock every row first, a fifth more WAL for a HOT update
3  weighs every update and delete by the sums of `audit.guard`, holds a running change to what was approved, and tells
   old from new bit by bit, so that columns without an equality operator (json) can be captured
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from audit.guard import guard, variables
from audit.names import QualifiedName, literal, place, quote

LATEST = 3
OPERATIONS = ("insert", "update", "delete", "truncate")
ACTIONS = {"insert": "insert", "update": "update", "delete": "remove", "truncate": "remove"}
CODES = {"insert": "+", "update": "~", "delete": "-", "truncate": "-"}
# A transition table has no statistics, so the planner would plan anew for each single row: the dearest part of it.
SETTINGS = {"search_path": "pg_catalog, pg_temp", "plan_cache_mode": "force_generic_plan"}
HEAD = "RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER " + " ".join(
    f"SET {name} = {value}" for name, value in SETTINGS.items()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSpec:
    """What one table's capture needs to know; columns and keys are database column names."""

    table: QualifiedName
    history: QualifiedName
    columns: tuple[str, ...]
    key: tuple[str, ...]
    tenant: str | None
    entity: str
    fail_open: bool = False
    version: int = LATEST
    integer_key: bool = False
    casts: dict[str, str] = field(default_factory=dict)


def function_name(table: QualifiedName, operation: str) -> str:
    """Name of a trigger function in schema custody; long names end in a hash and stay unique."""
    schema = "" if table[0] == "public" else f"{table[0]}_"
    name = f"capture_{schema}{table[1]}_{operation}"
    if len(name.encode()) <= 63:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"capture_{table[1].encode()[:32].decode(errors='ignore')}_{digest}_{operation}"


def trigger_name(operation: str) -> str:
    """The capture sorts before a guard of the same table."""
    return f"custody_capture_{operation}"


# TRUNCATE has no transition table: the function reads the table itself, all tenants of it.
SEE_ALL = "  PERFORM set_config('custody.all_tenants', {}, true);\n"


def create(spec: CaptureSpec) -> str:
    """Functions and triggers of one table, ENABLE ALWAYS."""
    parts = [create_function(spec, operation) for operation in OPERATIONS]
    parts += [create_trigger(spec, operation) for operation in OPERATIONS]
    if not spec.fail_open:
        parts.append(_key_guard(spec))
    return "\n".join(parts)


def drop(spec: CaptureSpec) -> str:
    """The reverse of `create`."""
    lines = [f"DROP TRIGGER IF EXISTS custody_key ON {place(spec.table)};"]
    for operation in OPERATIONS:
        lines.append(f"DROP TRIGGER IF EXISTS {trigger_name(operation)} ON {place(spec.table)};")
        lines.append(f"DROP FUNCTION IF EXISTS custody.{quote(function_name(spec.table, operation))}();")
    return "\n".join(lines)


def create_function(spec: CaptureSpec, operation: str) -> str:
    """The trigger function of one operation."""
    if spec.version >= 3:
        return _function_v3(spec, operation)
    body = _body(spec, operation)
    if spec.fail_open:
        body = _fail_open(spec, operation, body)
    if operation == "truncate":
        body = _all_tenants(body)
    return f"""
CREATE OR REPLACE FUNCTION custody.{quote(function_name(spec.table, operation))}() {HEAD} AS $custody$
DECLARE
  c jsonb := custody.trusted_context();
  who bigint := (c->>'user')::bigint;
  why text := c->>'reason';
  change bigint := (c->>'change')::bigint;
  tenant integer := (c->>'tenant')::integer;
  at timestamptz := clock_timestamp();
  tx xid8;
  event bigint;
  amount bigint;
  before jsonb;
BEGIN
{body}
  RETURN NULL;
END $custody$;"""


def _function_v3(spec: CaptureSpec, operation: str) -> str:
    """Guard, then capture: a failing capture may let a write pass (fail open), a failing guard never does."""
    record = _record_v3(spec, operation)
    if spec.fail_open:
        record = _fail_open(spec, operation, record)
    body = _guard_v3(spec, operation) + record
    if operation == "truncate":
        body = f"{SEE_ALL.format(literal('on'))}{body}{SEE_ALL.format(literal(''))}"
    guarded = operation != "insert"
    return f"""
CREATE OR REPLACE FUNCTION custody.{quote(function_name(spec.table, operation))}() {HEAD} AS $custody$
DECLARE
  context jsonb := custody.trusted_context();
  who bigint := (context->>'user')::bigint;
  why text := context->>'reason';
  change bigint := (context->>'change')::bigint;
  tenant integer := (context->>'tenant')::integer;
  at timestamptz := clock_timestamp();
  tx xid8;
  event bigint;
  amount bigint;
  previous jsonb;
{"  " + variables() if guarded else "  facts jsonb;"}
BEGIN
{body}  RETURN NULL;
END $custody$;"""


def create_trigger(spec: CaptureSpec, operation: str) -> str:
    """The statement trigger of one operation. One trigger per operation: transition tables allow one event each."""
    name, where = trigger_name(operation), place(spec.table)
    function = f"custody.{quote(function_name(spec.table, operation))}()"
    old, removed = ("OLD TABLE AS before ", "before") if spec.version >= 3 else ("", "changed")
    timing = {
        "insert": f"AFTER INSERT ON {where} REFERENCING NEW TABLE AS changed",
        "update": f"AFTER UPDATE ON {where} REFERENCING {old}NEW TABLE AS changed",
        "delete": f"AFTER DELETE ON {where} REFERENCING OLD TABLE AS {removed}",
        "truncate": f"BEFORE TRUNCATE ON {where}",
    }[operation]
    return (
        f"DROP TRIGGER IF EXISTS {name} ON {where};\n"
        f"CREATE TRIGGER {name} {timing} FOR EACH STATEMENT EXECUTE FUNCTION {function};\n"
        f"ALTER TABLE {where} ENABLE ALWAYS TRIGGER {name};"
    )


def _touched(spec: CaptureSpec, operation: str) -> str:
    """Where the rows of the statement are read."""
    return {"delete": "before", "truncate": place(spec.table)}.get(operation, "changed")


def _guard_v3(spec: CaptureSpec, operation: str) -> str:
    """The rows' own tenant first, where the writer has none: sums are per tenant."""
    rows = _touched(spec, operation)
    leave = "RETURN NULL;" if operation != "truncate" else f"\n{SEE_ALL.format(literal(''))}    RETURN NULL;\n   "
    if operation == "insert":
        return f"  IF NOT EXISTS (SELECT FROM {rows}) THEN {leave} END IF;\n" + _tenant_of_rows(spec, rows)
    table = literal(".".join(spec.table))
    return _tenant_of_rows(spec, rows) + guard(place=table, keys=spec.key, operation=operation, rows=rows, leave=leave)


def _record_v3(spec: CaptureSpec, operation: str) -> str:
    """History, the state before of a single row, and the event."""
    rows, table, code = _touched(spec, operation), literal(".".join(spec.table)), CODES[operation]
    into = ", ".join(quote(column) for column in spec.columns)
    values = ", ".join(f"r.{quote(column)}{spec.casts.get(column, '')}" for column in spec.columns)
    return f"""  tx := pg_current_xact_id();
  event := nextval('public.audit_event_id_seq');
  INSERT INTO {place(spec.history)}
    (history_date, history_type, history_user_id, history_change_reason, event_id, change_id, xid, {into})
  SELECT at, '{code}', who, why, event, change, tx, {values} FROM {rows} r;
  GET DIAGNOSTICS amount = ROW_COUNT;
{_previous(spec, operation)}  INSERT INTO public.audit_event (
    id, event_id, occurred_at, xid, target_table, entity, operation, action, affected_rows, operator_id, person_id,
    operator_name, tenant_id, ip, trace_id, request_id, change_id, channel, decision_id, reason, db_role,
    application, before_state, facts
  ) VALUES (
    event, gen_random_uuid(), at, tx, {table}, {literal(spec.entity)}, '{code}',
    coalesce(context->>'action', '{ACTIONS[operation]}'), amount, who, (context->>'person')::bigint,
    coalesce(context->>'name', session_user), tenant, (context->>'ip')::inet, coalesce(context->>'trace', ''),
    coalesce(context->>'request', ''), change, coalesce(context->>'channel', 'sql'), (context->>'decision')::uuid,
    coalesce(why, ''), session_user, coalesce(current_setting('application_name', true), ''), previous, facts
  );
"""


def _previous(spec: CaptureSpec, operation: str) -> str:
    """Of a single row: what the changed columns held before. Of many rows the history tells it row by row."""
    if operation == "insert":
        return ""
    if operation != "update":
        return f"  IF amount = 1 THEN SELECT to_jsonb(r) INTO previous FROM {_touched(spec, operation)} r; END IF;\n"
    differences = " ||\n      ".join(
        f"CASE WHEN record_image_ne(ROW(o.{quote(c)}), ROW(r.{quote(c)})) THEN jsonb_build_object({literal(c)}, "
        f"o.{quote(c)}{spec.casts.get(c, '')}) ELSE '{{}}' END"
        for c in spec.columns
    )
    return f"""  IF amount = 1 THEN
    SELECT nullif({differences}, '{{}}') INTO previous FROM changed r CROSS JOIN before o;
  END IF;
"""


def _body(spec: CaptureSpec, operation: str) -> str:
    rows = place(spec.table) if operation == "truncate" else "changed"
    into = ", ".join(quote(column) for column in spec.columns)
    values = ", ".join(f"r.{quote(column)}{spec.casts.get(column, '')}" for column in spec.columns)
    return f"""{_enough(spec, operation, rows)}  tx := pg_current_xact_id();
  event := nextval('public.audit_event_id_seq');
{_tenant_of_rows(spec, rows)}  INSERT INTO {place(spec.history)}
    (history_date, history_type, history_user_id, history_change_reason, event_id, change_id, xid, {into})
  SELECT at, '{CODES[operation]}', who, why, event, change, tx, {values} FROM {rows} r;
  GET DIAGNOSTICS amount = ROW_COUNT;
{_before_state(spec, operation)}{_record(spec, operation)}"""


def _enough(spec: CaptureSpec, operation: str, rows: str) -> str:
    """Nothing changed, nothing to record; too much changed, and the statement is refused before its history costs anything."""
    table = literal(".".join(spec.table))
    limited = operation in ("update", "delete")
    if spec.version == 1:
        return f"  IF NOT EXISTS (SELECT FROM {rows}) THEN RETURN NULL; END IF;\n" + (_mass(table) if limited else "")
    if not limited:
        return f"  IF NOT EXISTS (SELECT FROM {rows}) THEN RETURN NULL; END IF;\n"
    return f"""  SELECT count(*) INTO amount FROM (SELECT FROM changed LIMIT 2) few;
  IF amount = 0 THEN RETURN NULL; END IF;
  IF amount > 1 THEN
    amount := custody.row_limit({table}, change);
    IF amount IS NOT NULL AND EXISTS (SELECT FROM changed OFFSET amount) THEN
      PERFORM custody.refuse_mass({table}, (SELECT count(*) FROM changed), c);
    END IF;
  END IF;
"""


def _record(spec: CaptureSpec, operation: str) -> str:
    """The event. A running change is asked now, with the true count, whether it froze so many rows."""
    table, code = literal(".".join(spec.table)), CODES[operation]
    if spec.version == 1:
        return (
            f"  PERFORM custody.record_event(event, at, tx, {table}, {literal(spec.entity)},\n"
            f"    '{code}', amount, c, tenant, before);"
        )
    limited = operation in ("update", "delete")
    ask = _asked_again(spec, table) if limited else ""
    return f"""{ask}  INSERT INTO public.audit_event (
    id, event_id, occurred_at, xid, target_table, entity, operation, action, affected_rows, operator_id, person_id,
    operator_name, tenant_id, ip, trace_id, request_id, change_id, channel, decision_id, reason, db_role,
    application, before_state, facts
  ) VALUES (
    event, gen_random_uuid(), at, tx, {table}, {literal(spec.entity)}, '{code}',
    coalesce(c->>'action', '{ACTIONS[operation]}'), amount, who, (c->>'person')::bigint,
    coalesce(c->>'name', session_user), tenant, (c->>'ip')::inet, coalesce(c->>'trace', ''),
    coalesce(c->>'request', ''), change, coalesce(c->>'channel', 'sql'), (c->>'decision')::uuid,
    coalesce(why, ''), session_user, coalesce(current_setting('application_name', true), ''), before, NULL
  );"""


def _asked_again(spec: CaptureSpec, table: str) -> str:
    """As many as the change froze, and, where its keys are whole numbers, those very rows."""
    strangers = ""
    if spec.integer_key:
        rows = f"(SELECT array_agg(r.{quote(spec.key[0])}::bigint) FROM changed r)"
        strangers = f"    IF change IS NOT NULL THEN PERFORM custody.refuse_strangers({table}, change, tenant, {rows}); END IF;\n"
    return f"  IF amount > 1 THEN\n    PERFORM custody.refuse_mass({table}, amount, c);\n{strangers}  END IF;\n"


def _mass(table: str) -> str:
    return f"""  IF EXISTS (SELECT FROM changed OFFSET 1) THEN
    PERFORM custody.refuse_mass({table}, (SELECT count(*) FROM changed), c);
  END IF;
"""


def _all_tenants(body: str) -> str:
    """TRUNCATE has no transition table: the function reads the table itself, all tenants of it."""
    switch = "  PERFORM set_config('custody.all_tenants', {}, true);"
    off = switch.format("''")
    body = body.replace("THEN RETURN NULL; END IF;", f"THEN\n  {off}\n    RETURN NULL;\n  END IF;", 1)
    return f"""{switch.format("'on'")}
{body}
{off}"""


def _tenant_of_rows(spec: CaptureSpec, rows: str) -> str:
    """A writer without a tenant of its own (the owner) is recorded under the rows' tenant, if it is one."""
    if spec.tenant is None:
        return ""
    column = quote(spec.tenant)
    return (
        "  IF tenant IS NULL THEN\n"
        f"    SELECT min({column}) INTO tenant FROM {rows} HAVING min({column}) = max({column});\n"
        "  END IF;\n"
    )


def _before_state(spec: CaptureSpec, operation: str) -> str:
    """Of a single row: what the changed columns held before. Of many rows the history tells it row by row."""
    if operation == "insert":
        return ""
    if operation != "update":
        return "  IF amount = 1 THEN SELECT to_jsonb(r) INTO before FROM " + (
            f"{place(spec.table)} r; END IF;\n" if operation == "truncate" else "changed r; END IF;\n"
        )
    key = " AND ".join(f"o.{quote(k)} = r.{quote(k)}{spec.casts.get(k, '')}" for k in spec.key)
    differences = " ||\n      ".join(_difference(spec, column) for column in spec.columns)
    return f"""  IF amount = 1 THEN
    SELECT nullif({differences}, '{{}}') INTO before
      FROM changed r CROSS JOIN LATERAL (
        SELECT * FROM {place(spec.history)} o WHERE {key} AND o.event_id IS DISTINCT FROM event
         ORDER BY o.history_id DESC LIMIT 1) h;
  END IF;
"""


def _difference(spec: CaptureSpec, column: str) -> str:
    """Column by column: whole rows as JSON cost three times as much."""
    was, now = f"h.{quote(column)}", f"r.{quote(column)}{spec.casts.get(column, '')}"
    return f"CASE WHEN {was} IS DISTINCT FROM {now} THEN jsonb_build_object({literal(column)}, {was}) ELSE '{{}}' END"


def _fail_open(spec: CaptureSpec, operation: str, body: str) -> str:
    """The write passes though its capture fails, and an alarm is left; a refusal stays a refusal."""
    return f"""  BEGIN
{body}
  EXCEPTION
    WHEN insufficient_privilege THEN RAISE;
    WHEN OTHERS THEN
      INSERT INTO custody.capture_failure (table_name, operation, sqlstate, message)
      VALUES ({literal(".".join(spec.table))}, {literal(operation)}, SQLSTATE, SQLERRM);
  END;"""


def _key_guard(spec: CaptureSpec) -> str:
    """Old and new rows are told apart by key, so a key never changes."""
    timing = "BEFORE" if spec.version == 1 else "AFTER"
    keys = spec.key if spec.tenant is None else (spec.tenant, *spec.key)
    columns = ", ".join(quote(k) for k in keys)
    moved = " OR ".join(f"OLD.{quote(k)} IS DISTINCT FROM NEW.{quote(k)}" for k in keys)
    where = place(spec.table)
    return f"""
DROP TRIGGER IF EXISTS custody_key ON {where};
CREATE TRIGGER custody_key {timing} UPDATE OF {columns} ON {where} FOR EACH ROW WHEN ({moved})
  EXECUTE FUNCTION custody.refuse_key_change();
ALTER TABLE {where} ENABLE ALWAYS TRIGGER custody_key;"""


def append_only_v1(table: QualifiedName, tenant: str | None) -> str:
    """Refuse every write but the owner's functions' INSERT; show readers their own tenant."""
    where = place(table)
    mine = "true" if tenant is None else f"{quote(tenant)} = (SELECT custody.tenant())"
    return f"""
CREATE TRIGGER custody_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {where}
  FOR EACH STATEMENT EXECUTE FUNCTION custody.refuse_write();
ALTER TABLE {where} ENABLE ALWAYS TRIGGER custody_append_only;
ALTER TABLE {where} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY custody_read ON {where} FOR SELECT USING ({mine});
CREATE POLICY custody_record ON {where} TO custody_owner USING (true) WITH CHECK (true);"""


def drop_append_only_v1(table: QualifiedName) -> str:
    """The reverse of `append_only_v1`."""
    where = place(table)
    return f"""
DROP TRIGGER IF EXISTS custody_append_only ON {where};
DROP POLICY IF EXISTS custody_read ON {where};
DROP POLICY IF EXISTS custody_record ON {where};
ALTER TABLE {where} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;"""
