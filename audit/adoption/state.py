"""Migration 0001 of an adopted app: the models as Django's migration state, without any statement to the database.

Runs in a process in which the app is installed, since the state is read from its real models.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import migrations
from django.db.migrations.operations import CreateModel, SeparateDatabaseAndState
from django.db.migrations.state import ModelState
from django.db.migrations.writer import MigrationWriter

NAME = "0001_adopt"
RECORD = ("audit", "0003_covered_rows")


def write(app_label: str, directory: Path) -> None:
    """Write 0001_adopt.py into the app's migrations directory."""
    migration: Any = type("Migration", (migrations.Migration,), {})(NAME, app_label)
    migration.initial = True
    migration.dependencies = [RECORD, *_dependencies(app_label)]
    migration.operations = [SeparateDatabaseAndState(state_operations=_operations(app_label))]
    (directory / "migrations" / f"{NAME}.py").write_text(MigrationWriter(migration).as_string(), encoding="utf-8")


def _operations(app_label: str) -> list[CreateModel]:
    states = [ModelState.from_model(model) for model in apps.get_app_config(app_label).get_models()]
    return [
        CreateModel(name=s.name, fields=list(s.fields.items()), options=s.options, bases=s.bases, managers=s.managers)
        for s in states
    ]


def _dependencies(app_label: str) -> list[Any]:
    """The user model of history, and other adopted apps that foreign keys point to."""
    others = {
        field.remote_field.model._meta.app_label
        for model in apps.get_app_config(app_label).get_models()
        for field in model._meta.local_fields
        if field.remote_field is not None
    }
    user_app = settings.AUTH_USER_MODEL.split(".")[0]
    found: list[Any] = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    return found + [(other, "__first__") for other in sorted(others - {app_label, user_app})]
