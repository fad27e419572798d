"""Checks: every declaration is sound, and the database is what the declarations say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import connections

from audit import capture, guard_checks, inspection, manifest, registry
from audit.constraints import Capture
from audit.inspection import Policy
from audit.models import ArchiveFile, Event
from audit.names import QualifiedName, split_table

SETTINGS = {f"{name}={value}" for name, value in capture.SETTINGS.items()}
MINE = "(tenant_id = ( SELECT custody.tenant() AS tenant))"
EVERY = "(( SELECT current_setting('custody.all_tenants'::text, true) AS current_setting) = 'on'::text)"
OWNER = ("custody_owner",)


def declarations(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Every governed model has its declaration and its history."""
    found: list[CheckMessage] = []
    for model in registry.entities():
        if not hasattr(model, "governance"):
            found.append(Error("no governance declaration", obj=model, id="custody.E001"))
        elif not registry.has_history(model):
            found.append(Error("no history: add `history = TrackedRecords()`", obj=model, id="custody.E002"))
        else:
            found += _named_fields_exist(model)
    return found


def _named_fields_exist(model: Any) -> list[CheckMessage]:
    known = {field.name for field in model._meta.get_fields()}
    named = {*model.governance.sensitive, *model.governance.untracked}
    return [
        Error(f"governance names a field that does not exist: {name}", obj=model, id="custody.E003")
        for name in sorted(named - known)
    ]


def catalog(app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Tables, columns, triggers, functions, grants and policies are in step with the declarations."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT to_regclass('custody.capture_failure') IS NULL")
            if cursor.fetchone()[0]:
                found.append(Error("the database holds no record yet; run migrate", id="custody.E009"))
                continue
            for model in registry.entities():
                found += _table(cursor, model)
            found += _record(cursor, Event, has_tenant=True)
            found += _record(cursor, ArchiveFile, has_tenant=True)
            found += _grants(cursor)
            found += _functions(cursor)
            found += _limits(cursor)
            found += guard_checks.guard(cursor)
            found += _retention(cursor)
            found += _failures(cursor)
    return found


def _table(cursor: Any, model: Any) -> Iterator[CheckMessage]:
    table = split_table(model._meta.db_table)
    history: Any = registry.history_of(model)
    columns = inspection.columns(cursor, table)
    recorded = inspection.columns(cursor, split_table(history._meta.db_table))
    if not columns or not recorded:
        yield Error(f"table or history missing: {'.'.join(table)}; run migrate", obj=model, id="custody.E010")
        return
    declared = next((c for c in model._meta.constraints if isinstance(c, Capture)), None)
    if declared is not None:
        yield from _columns(model, declared, columns, recorded)
        spec = declared.spec(model._meta.db_table)
        for operation in capture.OPERATIONS:
            yield from _capture(cursor, model, spec, operation)
        if not spec.fail_open:
            yield from _guard(cursor, model, table, "custody_key", "refuse_key_change")
        yield from guard_checks.partitions(cursor, model, table)
    if model.governance.tenant:
        yield from _policies(cursor, model, table, _entity_policies())
    yield from _record(cursor, history, has_tenant=model.governance.tenant)


def _columns(model: Any, declared: Capture, columns: set[str], recorded: set[str]) -> Iterator[CheckMessage]:
    captured = set(declared.columns)
    for column in sorted(captured - columns | captured - recorded):
        yield Error(f"column {column} is captured but missing; run migrate", obj=model, id="custody.E011")
    known = {field.column for field in model._meta.concrete_fields}
    for column in sorted(columns - known):
        yield Error(f"column {column} is no field of the model, so it is not recorded", obj=model, id="custody.E011")


def _capture(cursor: Any, model: Any, spec: capture.CaptureSpec, operation: str) -> Iterator[CheckMessage]:
    found = inspection.trigger(cursor, spec.table, capture.trigger_name(operation))
    if found is None:
        yield Error(f"capture trigger for {operation} is missing", obj=model, id="custody.E012")
        return
    if found.enabled != "A":
        yield Error(f"capture trigger for {operation} is not ENABLE ALWAYS", obj=model, id="custody.E013")
    expected = capture.create_function(spec, operation).split("$custody$")[1]
    if found.body != expected or not found.is_definer or set(found.settings) != SETTINGS:
        yield Error(f"capture function for {operation} differs from its migration", obj=model, id="custody.E014")


def _guard(cursor: Any, model: Any, table: QualifiedName, name: str, function: str) -> Iterator[CheckMessage]:
    found = inspection.trigger(cursor, table, name)
    if found is None or found.function != function:
        yield Error(f"trigger {name} of {'.'.join(table)} is missing", obj=model, id="custody.E012")
    elif found.enabled != "A":
        yield Error(f"trigger {name} of {'.'.join(table)} is not ENABLE ALWAYS", obj=model, id="custody.E013")


def _record(cursor: Any, model: Any, *, has_tenant: bool) -> Iterator[CheckMessage]:
    """A history table or the events: only ever added to, and each tenant reads its own."""
    table = split_table(model._meta.db_table)
    yield from _guard(cursor, model, table, "custody_append_only", "refuse_write")
    yield from _policies(cursor, model, table, _record_policies(has_tenant))


def _entity_policies() -> set[Policy]:
    return {
        Policy(name="custody_tenant", command="*", roles=(), using=MINE, checked=MINE),
        Policy(name="custody_all", command="*", roles=OWNER, using=EVERY, checked=EVERY),
    }


def _record_policies(has_tenant: bool) -> set[Policy]:
    return {
        Policy(name="custody_read", command="r", roles=(), using=MINE if has_tenant else "true", checked=""),
        Policy(name="custody_record", command="*", roles=OWNER, using="true", checked="true"),
    }


def _policies(cursor: Any, model: Any, table: QualifiedName, expected: set[Policy]) -> Iterator[CheckMessage]:
    if not inspection.is_isolated(cursor, table):
        yield Error(f"row level security is not forced on {'.'.join(table)}", obj=model, id="custody.E015")
    found = inspection.policies(cursor, table)
    for name in sorted({policy.name for policy in found ^ expected}):
        yield Error(f"policy {name} of {'.'.join(table)} is not the declared one", obj=model, id="custody.E015")


def _grants(cursor: Any) -> Iterator[CheckMessage]:
    for table, privileges in manifest.grants().items():
        held = inspection.privileges(cursor, table, manifest.PRIVILEGES)
        if held is not None and held != privileges:
            yield Error(
                f"custody_app holds {', '.join(sorted(held)) or 'nothing'} on {'.'.join(table)}, "
                f"declared are {', '.join(sorted(privileges))}",
                id="custody.E016",
            )


def _failures(cursor: Any) -> Iterator[CheckMessage]:
    cursor.execute("SELECT table_name, count(*) FROM custody.capture_failure WHERE seen_at IS NULL GROUP BY 1")
    for table, failures in cursor.fetchall():
        yield Error(f"{failures} writes on {table} went unrecorded; see custody.capture_failure", id="custody.E017")


def _limits(cursor: Any) -> Iterator[CheckMessage]:
    cursor.execute("SELECT table_name, entity, row_limit, window_rows FROM public.audit_governedtable")
    stored = set(cursor.fetchall())
    declared = {(table, *limits) for table, limits in manifest.limits().items()}
    for table in sorted({row[0] for row in stored ^ declared}):
        yield Error(f"the row limit of {table} is not the declared one; run migrate", id="custody.E018")


def _retention(cursor: Any) -> Iterator[CheckMessage]:
    cursor.execute(
        "SELECT coalesce(p.name, s.name) FROM public.audit_retentionpolicy p FULL JOIN unnest(%s::text[], %s::interval[]) "
        "s(name, keep) ON s.name = p.name WHERE p.keep IS DISTINCT FROM s.keep ORDER BY 1",
        [list(settings.CUSTODY_RETENTION), list(settings.CUSTODY_RETENTION.values())],
    )
    for (name,) in cursor.fetchall():
        yield Error(f"the retention policy {name} is not the one of the settings; run migrate", id="custody.E020")


def _functions(cursor: Any) -> Iterator[CheckMessage]:
    for function in sorted(inspection.executable(cursor) - set(manifest.FUNCTIONS)):
        yield Error(f"custody_app may call {function}, which is not declared; run migrate", id="custody.E019")
