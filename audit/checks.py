"""Checks: every declaration is sound, and the database is what the declarations say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import connections

from audit import capture, manifest, registry
from audit.constraints import Capture
from audit.names import split_table


def declarations(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Every governed model has its declaration and its history."""
    found: list[CheckMessage] = []
    for model in registry.entities():
        if not hasattr(model, "governance"):
            found.append(Error("no governance declaration", obj=model, id="custody.E001"))
        elif not hasattr(model._meta, "simple_history_manager_attribute"):
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
            found += _grants(cursor)
            found += _failures(cursor)
    return found


def _table(cursor: Any, model: Any) -> Iterator[CheckMessage]:
    declared = next((c for c in model._meta.constraints if isinstance(c, Capture)), None)
    table = split_table(model._meta.db_table)
    history = split_table(registry.history_of(model)._meta.db_table)  # type: ignore[attr-defined]
    columns, recorded = _columns(cursor, table), _columns(cursor, history)
    if not columns or not recorded:
        yield Error(f"table or history missing: {'.'.join(table)}; run migrate", obj=model, id="custody.E010")
        return
    if declared is not None:
        missing = set(declared.columns) - columns | set(declared.columns) - recorded
        for column in sorted(missing):
            yield Error(f"column {column} is captured but missing; run migrate", obj=model, id="custody.E011")
        for operation in capture.OPERATIONS:
            yield from _trigger(cursor, model, declared.spec(model._meta.db_table), operation)
    if model.governance.tenant:
        yield from _policy(cursor, model, table, "custody_tenant")
    yield from _policy(cursor, model, history, "custody_read")


def _columns(cursor: Any, table: tuple[str, str]) -> set[str]:
    cursor.execute(
        "SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped",
        table,
    )
    return {name for (name,) in cursor.fetchall()}


def _trigger(cursor: Any, model: Any, spec: capture.CaptureSpec, operation: str) -> Iterator[CheckMessage]:
    cursor.execute(
        "SELECT t.tgenabled, p.prosrc, p.prosecdef FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_proc p ON p.oid = t.tgfoid "
        "WHERE n.nspname = %s AND c.relname = %s AND t.tgname = %s",
        (*spec.table, capture.trigger_name(operation)),
    )
    row = cursor.fetchone()
    if row is None:
        yield Error(f"capture trigger for {operation} is missing", obj=model, id="custody.E012")
        return
    enabled, body, definer = row
    if enabled != "A":
        yield Error(f"capture trigger for {operation} is not ENABLE ALWAYS", obj=model, id="custody.E013")
    expected = capture.create_function_v1(spec, operation).split("$custody$")[1]
    if body != expected or not definer:
        yield Error(f"capture function for {operation} differs from its migration", obj=model, id="custody.E014")


def _policy(cursor: Any, model: Any, table: tuple[str, str], policy: str) -> Iterator[CheckMessage]:
    cursor.execute(
        "SELECT c.relrowsecurity AND c.relforcerowsecurity, EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid "
        "AND p.polname = %s) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = %s",
        (policy, *table),
    )
    forced, exists = cursor.fetchone() or (False, False)
    if not (forced and exists):
        yield Error(f"row level security is not forced on {'.'.join(table)}", obj=model, id="custody.E015")


def _grants(cursor: Any) -> Iterator[CheckMessage]:
    for table, privileges in manifest.grants().items():
        cursor.execute(
            "SELECT array_agg(p) FROM unnest(%s::text[]) p, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relname = %s AND has_table_privilege('custody_app', c.oid, p)",
            (list(manifest.PRIVILEGES), *table),
        )
        held = frozenset(cursor.fetchone()[0] or ())
        if held and held != privileges:
            yield Error(
                f"custody_app holds {', '.join(sorted(held))} on {'.'.join(table)}, "
                f"declared are {', '.join(sorted(privileges))}",
                id="custody.E016",
            )


def _failures(cursor: Any) -> Iterator[CheckMessage]:
    cursor.execute("SELECT table_name, count(*) FROM custody.capture_failure WHERE seen_at IS NULL GROUP BY 1")
    for table, failures in cursor.fetchall():
        yield Error(f"{failures} writes on {table} went unrecorded; see custody.capture_failure", id="custody.E017")
