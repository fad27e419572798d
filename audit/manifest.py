"""What the application's login may do, in one place: applied after every migrate, compared by the checks."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connections, transaction

from audit import registry
from audit.names import QualifiedName, literal, place, split_table

NOTHING: frozenset[str] = frozenset()
READ = frozenset({"SELECT"})
WRITE = frozenset({"SELECT", "INSERT", "UPDATE"})
FULL = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")

FUNCTIONS = (
    "custody.tenant()",
    "custody.append_event(text, text, text, bigint, jsonb)",
    "custody.open_era()",
    "custody.tick()",
    "custody.event_floor(integer, pg_snapshot)",
    "custody.tidy_snapshots()",
    "custody.forget_buckets()",
    "custody.retention(text)",
    # The rules, and whose votes count: they read what the application may read. See approvals/sql/rules_v1.sql.
    "custody.listed(jsonb, text)",
    "custody.risk(jsonb, public.approvals_house)",
    "custody.required_by(jsonb, jsonb, public.approvals_house)",
    "custody.rules_in_force(integer)",
    "custody.required(integer, jsonb)",
    "custody.change_facts(integer, bigint)",
    "custody.stages(jsonb, integer)",
    "custody.entitled(integer, bigint, bigint, text)",
    "custody.counted(integer, bigint, boolean)",
    "custody.is_agreed(integer, bigint, boolean)",
    "custody.may_decide(integer, bigint, bigint, bigint)",
    # Proofs of who one is, see access/sql/proofs_v1.sql: who and when come from the database's side.
    "custody.record_proof(text, text)",
    "custody.use_proof(text, text)",
    "custody.thaw(bigint)",
    # These two ask for everything themselves, see changes/sql/purge_v1.sql.
    "custody.record_archive(bigint, integer, bigint, bigint, bigint, bigint, text, text, text)",
    "custody.is_held(integer, text, bigint, jsonb)",
    "custody.remove_rows(bigint, integer, bigint, bigint)",
)


def grants() -> dict[QualifiedName, frozenset[str]]:
    """Privileges of custody_app per table. Entities are never DELETEd, the record is only read.

    A model names others with a class attribute `app_privileges`.
    """
    granted: dict[QualifiedName, frozenset[str]] = {("public", "django_migrations"): READ}
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy:
            granted[split_table(model._meta.db_table)] = getattr(model, "app_privileges", FULL)
    for entity in registry.entities():
        if entity._meta.managed:  # an adopted table's grants are given and taken back by its own migration
            granted[split_table(entity._meta.db_table)] = WRITE
        if registry.has_history(entity):
            granted[split_table(registry.history_of(entity)._meta.db_table)] = READ  # type: ignore[attr-defined]
    granted["public", "audit_event"] = READ
    granted["public", "audit_governedtable"] = READ
    granted["custody", "capture_failure"] = READ
    granted["custody", "write_bucket"] = NOTHING
    return granted


def apply_after_migrate(sender: Any, using: str, **kwargs: Any) -> None:
    """Bring grants and row limits in step. post_migrate calls it per app; once is enough."""
    if sender.name != "audit":
        return
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute("SELECT to_regprocedure('custody.tenant()') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return
        existing = _existing_tables(cursor)
        for table, privileges in grants().items():
            if table in existing:
                cursor.execute(_grant_sql(table, privileges))
        cursor.execute("GRANT USAGE ON SCHEMA public, custody TO custody_app")
        cursor.execute("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO custody_app")
        cursor.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA custody FROM PUBLIC, custody_app")
        for function in FUNCTIONS:
            cursor.execute("SELECT to_regprocedure(%s) IS NOT NULL", [function])
            if cursor.fetchone()[0]:
                cursor.execute(f"GRANT EXECUTE ON FUNCTION {function} TO PUBLIC")
        _store_limits(cursor)
        _store_retention(cursor)


def _existing_tables(cursor: Any) -> set[QualifiedName]:
    """Tables this login owns; grants on others are their owners' business."""
    cursor.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p') AND pg_has_role(c.relowner, 'USAGE')"
    )
    return {(schema, table) for schema, table in cursor.fetchall()}


def _grant_sql(table: QualifiedName, privileges: frozenset[str]) -> str:
    wanted = ", ".join(sorted(privileges))
    revoked = f"REVOKE ALL ON {place(table)} FROM PUBLIC, custody_app"
    return f"{revoked}; GRANT {wanted} ON {place(table)} TO custody_app" if wanted else revoked


def limits() -> dict[str, tuple[str, int, int]]:
    """Limits per governed table: `schema.table` → (entity, rows per transaction, rows per window)."""
    return {
        ".".join(split_table(model._meta.db_table)): (
            model._meta.label_lower,
            registry.threshold(model),
            registry.window_rows(model),
        )
        for model in registry.entities()
    }


def _store_limits(cursor: Any) -> None:
    rows = ", ".join(
        f"({literal(table)}, {literal(entity)}, {int(limit)}, {int(window)})"
        for table, (entity, limit, window) in limits().items()
    )
    cursor.execute("DELETE FROM public.audit_governedtable")
    if rows:
        cursor.execute(
            f"INSERT INTO public.audit_governedtable (table_name, entity, row_limit, window_rows) VALUES {rows}"
        )


def _store_retention(cursor: Any) -> None:
    cursor.execute("DELETE FROM public.audit_retentionpolicy")
    for name, keep in settings.CUSTODY_RETENTION.items():
        cursor.execute("INSERT INTO public.audit_retentionpolicy (name, keep) VALUES (%s, %s::interval)", [name, keep])
