"""makemigrations, with one addition: a migration that governs a table depends on the record's own."""

from __future__ import annotations

from typing import Any

from django.core.management.commands.makemigrations import Command as MakeMigrations
from django.db.migrations import AddConstraint, CreateModel
from django.db.migrations.autodetector import MigrationAutodetector

from audit.constraints import DatabaseDeclaration

RECORD = ("audit", "0005_guard")


class GovernedAutodetector(MigrationAutodetector):
    """Adds the dependency that Django cannot see: the SQL calls functions of schema custody."""

    def arrange_for_graph(self, changes: Any, graph: Any, migration_name: str | None = None) -> Any:
        arranged = super().arrange_for_graph(changes, graph, migration_name)
        for app_label, migrations in arranged.items():
            for migration in migrations:
                if app_label != "audit" and any(_governs(operation) for operation in migration.operations):
                    migration.dependencies = [*migration.dependencies, RECORD]  # type: ignore[misc]
        return arranged


def _governs(operation: Any) -> bool:
    if isinstance(operation, AddConstraint):
        return isinstance(operation.constraint, DatabaseDeclaration)
    if isinstance(operation, CreateModel):
        return any(isinstance(c, DatabaseDeclaration) for c in operation.options.get("constraints", ()))
    return False


class Command(MakeMigrations):
    autodetector = GovernedAutodetector
