"""Checks of adopted tables: the other program's owner may change them at any time, so the catalog is asked.

Errors mean that writes go unrecorded; warnings that something is not recorded yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.db import connections

from audit import inspection, registry
from audit.adoption import catalog, ledger
from audit.adoption.baseline import NotMigrated, governed_tables
from audit.adoption.capture import AdoptedTable, function_v2, operations_of
from audit.capture import OPERATIONS, function_name, trigger_name
from audit.names import QualifiedName, split_table


def adopted_tables(
    app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Columns, triggers on every partition, baselines and grants of adopted tables are as adoption left them."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            if ledger.exists(cursor):
                for model in registry.entities():
                    if not model._meta.managed:
                        found += _table(cursor, model)
                found += _functions(cursor, connections[alias])
    return found


def _functions(cursor: Any, connection: Any) -> Iterator[CheckMessage]:
    """Capture functions are those of this version, careful (while the baseline is written) or lean."""
    for app in sorted({m._meta.app_label for m in registry.entities() if not m._meta.managed}):
        try:
            tables = governed_tables(connection, app)
        except NotMigrated:
            continue
        for table in tables:
            yield from _function(cursor, app, table)


def _function(cursor: Any, app: str, table: AdoptedTable) -> Iterator[CheckMessage]:
    for operation in OPERATIONS:
        body = inspection.function_body(cursor, function_name(table.table, operation))
        written = [function_v2(table, operation, baseline=b).split("$custody$")[1] for b in (True, False)]
        if body is not None and body not in written:
            yield Error(
                f"capture function of {'.'.join(table.table)} for {operation} is not this version's; "
                f"run manage.py baseline {app}",
                id="custody.E025",
            )


def _table(cursor: Any, model: Any) -> Iterator[CheckMessage]:
    table = split_table(model._meta.db_table)
    columns = inspection.columns(cursor, table)
    if not columns:
        return
    yield from _columns(model, columns)
    yield from _triggers(cursor, model, table)
    yield from _baseline(cursor, model, table)


def _columns(model: Any, columns: set[str]) -> Iterator[CheckMessage]:
    app = model._meta.app_label
    recorded = {field.column for field in registry.history_of(model).tracked_fields}  # type: ignore[attr-defined]
    for column in sorted(recorded - columns):
        yield Error(
            f"column {column} is gone, so writes go unrecorded; run manage.py adopt --app {app} --refresh",
            obj=model,
            id="custody.E020",
        )
    mapped = {field.column for field in model._meta.concrete_fields}
    for column in sorted(columns - mapped):
        yield Caution(
            f"column {column} is new and not recorded; run manage.py adopt --app {app} --refresh",
            obj=model,
            id="custody.W021",
        )


def _triggers(cursor: Any, model: Any, table: QualifiedName) -> Iterator[CheckMessage]:
    for member, kind in catalog.members(cursor, table):
        for operation in operations_of(is_leaf=kind is catalog.Kind.TABLE):
            trigger = inspection.trigger(cursor, member, trigger_name(operation))
            name = ".".join(member)
            if trigger is None:
                yield Error(
                    f"{name} has no capture trigger for {operation}; run manage.py baseline {model._meta.app_label}",
                    obj=model,
                    id="custody.E022",
                )
            elif trigger.enabled != "A":
                yield Error(f"capture trigger of {name} for {operation} is switched off", obj=model, id="custody.E023")


def _baseline(cursor: Any, model: Any, table: QualifiedName) -> Iterator[CheckMessage]:
    cursor.execute(
        "SELECT baseline_done_at IS NOT NULL FROM custody.adopted_table WHERE schema_name = %s AND table_name = %s",
        table,
    )
    row = cursor.fetchone()
    if row is not None and not row[0]:
        yield Caution(
            f"rows that were there before have no history yet; run manage.py baseline {model._meta.app_label}",
            obj=model,
            id="custody.W024",
        )
