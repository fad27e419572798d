"""Declared parts of a governed table that Django's migrations create, alter and drop.

Each is a `BaseConstraint` without validation of its own: the autodetector compares them like any other
constraint, so a new column yields a migration with a new capture trigger, and nothing is patched.
"""

from __future__ import annotations

from typing import Any

from django.db.models import BaseConstraint

from audit import capture
from audit.names import quote, split_table


class DatabaseDeclaration(BaseConstraint):
    """A constraint that is SQL only: no Python validation, created after the tables of its migration."""

    fields_of: tuple[str, ...] = ()

    def __init__(self, *, name: str, **options: Any) -> None:
        super().__init__(name=name)
        for field in self.fields_of:
            value = options.pop(field, None)
            setattr(self, field, tuple(value) if isinstance(value, list) else value)
        if options:
            raise TypeError(f"{type(self).__name__} does not know {', '.join(options)}")

    def constraint_sql(self, model: Any, schema_editor: Any) -> None:  # type: ignore[override]
        schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))

    def validate(self, model: Any, instance: Any, exclude: Any = None, using: str = "default") -> None:
        return None

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        kwargs.update({field: getattr(self, field) for field in self.fields_of if getattr(self, field) is not None})
        return path, args, kwargs

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        mine, theirs = self.deconstruct(), other.deconstruct()
        return bool(mine == theirs)

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.name))


class Capture(DatabaseDeclaration):
    """Statement triggers that write history and one event per statement. See `audit.capture`."""

    fields_of = ("history_table", "columns", "key", "tenant", "entity", "fail_open", "version", "integer_key")

    history_table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    tenant: str | None
    entity: str
    fail_open: bool
    version: int | None
    integer_key: bool | None

    def spec(self, table: str) -> capture.CaptureSpec:
        return capture.CaptureSpec(
            table=split_table(table),
            history=split_table(self.history_table),
            columns=self.columns,
            key=self.key,
            tenant=self.tenant,
            entity=self.entity,
            fail_open=bool(self.fail_open),
            version=self.version or 1,
            integer_key=bool(self.integer_key),
        )

    def create_sql(self, model: Any, schema_editor: Any) -> str:
        return capture.create(self.spec(model._meta.db_table))

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        return capture.drop(self.spec(model._meta.db_table))


class TenantKey(DatabaseDeclaration):
    """The table's primary key becomes (tenant, key)."""

    def create_sql(self, model: Any, schema_editor: Any) -> str:
        return self._swap(model, ("tenant_id", model._meta.pk.column))

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        return self._swap(model, (model._meta.pk.column,))

    def _swap(self, model: Any, columns: tuple[str, ...]) -> str:
        schema, table = split_table(model._meta.db_table)
        keys = ", ".join(quote(column) for column in columns)
        name = quote(f"{table}_pkey")
        return (
            f"ALTER TABLE {quote(schema)}.{quote(table)} DROP CONSTRAINT {name}, "
            f"ADD CONSTRAINT {name} PRIMARY KEY ({keys})"
        )


class TenantForeignKey(DatabaseDeclaration):
    """A foreign key over (tenant, column): a row can only point into its own tenant."""

    fields_of = ("column", "target", "target_column")

    column: str
    target: str
    target_column: str

    def create_sql(self, model: Any, schema_editor: Any) -> str:
        schema, table = split_table(model._meta.db_table)
        to_schema, to_table = split_table(self.target)
        return (
            f"ALTER TABLE {quote(schema)}.{quote(table)} ADD CONSTRAINT {quote(self.name)} "
            f"FOREIGN KEY (tenant_id, {quote(self.column)}) "
            f"REFERENCES {quote(to_schema)}.{quote(to_table)} (tenant_id, {quote(self.target_column)})"
        )

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        schema, table = split_table(model._meta.db_table)
        return f"ALTER TABLE {quote(schema)}.{quote(table)} DROP CONSTRAINT IF EXISTS {quote(self.name)}"


class TenantPolicy(DatabaseDeclaration):
    """Row level security, forced: without a tenant in the context there are no rows, for the owner too.

    The owner sees every tenant only after `SET custody.all_tenants = 'on'`, for loading and repair.
    """

    def create_sql(self, model: Any, schema_editor: Any) -> str:
        schema, table = split_table(model._meta.db_table)
        place = f"{quote(schema)}.{quote(table)}"
        mine = "tenant_id = (SELECT custody.tenant())"
        every = "(SELECT current_setting('custody.all_tenants', true)) = 'on'"
        return (
            f"ALTER TABLE {place} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
            f"CREATE POLICY custody_tenant ON {place} USING ({mine}) WITH CHECK ({mine});"
            f"CREATE POLICY custody_all ON {place} TO custody_owner USING ({every}) WITH CHECK ({every})"
        )

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        schema, table = split_table(model._meta.db_table)
        place = f"{quote(schema)}.{quote(table)}"
        return (
            f"DROP POLICY IF EXISTS custody_tenant ON {place};"
            f"DROP POLICY IF EXISTS custody_all ON {place};"
            f"ALTER TABLE {place} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY"
        )


class AppendOnly(DatabaseDeclaration):
    """A record table: rows are only ever added, by the database's own functions; readers see their tenant."""

    fields_of = ("tenant",)

    tenant: str | None

    def create_sql(self, model: Any, schema_editor: Any) -> str:
        return capture.append_only_v1(split_table(model._meta.db_table), self.tenant)

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        return capture.drop_append_only_v1(split_table(model._meta.db_table))


class FillFactor(DatabaseDeclaration):
    """Free room on each page, so that a soft delete of the whole table stays a HOT update."""

    fields_of = ("percent",)

    percent: int

    def create_sql(self, model: Any, schema_editor: Any) -> str:
        schema, table = split_table(model._meta.db_table)
        return f"ALTER TABLE {quote(schema)}.{quote(table)} SET (fillfactor = {int(self.percent)})"

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        schema, table = split_table(model._meta.db_table)
        return f"ALTER TABLE {quote(schema)}.{quote(table)} RESET (fillfactor)"
