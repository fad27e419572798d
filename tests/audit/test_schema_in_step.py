"""Migrations keep the database in step: a changed column yields a changed capture, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, models
from django.db.migrations import AddConstraint, RemoveConstraint
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState

from audit.constraints import AppendOnly, Capture, TenantForeignKey, TenantKey, TenantPolicy
from audit.declarations import _capture
from audit.management.commands.makemigrations import RECORD, GovernedAutodetector
from shop.models import Order, UserTag


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", "--check", "--dry-run", "--verbosity", "0")


def _written() -> ProjectState:
    return MigrationLoader(None, ignore_no_migrations=True).project_state()


def _changes(after: ProjectState) -> list[Any]:
    detector = GovernedAutodetector(_written(), after)
    return [
        operation
        for migration in detector.changes(MigrationLoader(None).graph).get("shop", [])
        for operation in migration.operations
    ]


def _with_column(add: bool) -> ProjectState:
    """The state after a developer added (or removed) a column of Order, the capture declared by the same code."""
    after = ProjectState.from_apps(apps)
    order, history = after.models["shop", "order"], after.models["shop", "historicalorder"]
    capture = next(c for c in order.options["constraints"] if isinstance(c, Capture))
    columns = (*capture.columns, "colour") if add else tuple(c for c in capture.columns if c != "note")
    for state in (order, history):
        if add:
            state.fields["colour"] = models.TextField(default="")
        else:
            del state.fields["note"]
    _, _, options = capture.deconstruct()
    order.options["constraints"] = [
        Capture(**options | {"columns": columns}) if c is capture else c for c in order.options["constraints"]
    ]
    return after


@pytest.mark.parametrize("add", [True, False])
def test_a_changed_column_changes_the_capture(add: bool) -> None:
    operations = _changes(_with_column(add))
    removed = [o for o in operations if isinstance(o, RemoveConstraint)]
    added = [o for o in operations if isinstance(o, AddConstraint)]
    assert [o.name for o in removed] == ["shop_order_capture"]
    assert ("colour" if add else "note") in {*added[0].constraint.columns} ^ {"note" if not add else ""}
    assert len(operations) == 4


def test_the_declaration_follows_the_model() -> None:
    state = ModelState.from_model(Order)
    capture = next(c for c in state.options["constraints"] if isinstance(c, Capture))
    assert set(capture.columns) == {field.column for field in Order._meta.concrete_fields}
    assert capture == _capture(Order, "shop_order")


def test_a_migration_that_governs_depends_on_the_record() -> None:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    assert RECORD in loader.disk_migrations["shop", "0003_capture_v3"].dependencies


@pytest.mark.parametrize(
    "constraint",
    [
        Capture(
            name="c",
            history_table="h",
            columns=("a", "b"),
            key=("id",),
            tenant="tenant_id",
            entity="x.y",
            fail_open=False,
        ),
        TenantKey(name="k"),
        TenantForeignKey(name="f", column="a_id", target="t", target_column="id"),
        TenantPolicy(name="p"),
        AppendOnly(name="a", tenant=None),
    ],
)
def test_a_declaration_survives_the_migration_file(constraint: Any) -> None:
    path, args, kwargs = constraint.deconstruct()
    assert path.endswith(type(constraint).__name__)
    assert type(constraint)(*args, **kwargs) == constraint
    assert type(constraint)(*args, **kwargs | {"name": "other"}) != constraint
    assert constraint != TenantKey(name="never")


def test_an_unknown_option_is_an_error() -> None:
    with pytest.raises(TypeError, match="colour"):
        TenantKey(name="k", colour="red")


def test_history_leaves_out_nothing_that_is_tracked() -> None:
    for model in (Order, UserTag):
        recorded = {field.column for field in model.history.model._meta.concrete_fields}
        assert {field.column for field in model._meta.concrete_fields} <= recorded


def test_the_shop_s_migrations_can_be_taken_back(real_db: Any) -> None:
    """Forwards, back and forwards again: the reverse SQL of every declaration works."""
    from tests.servers import manage

    environment = real_db.env | {"CUSTODY_DB_LOGIN": "owner"}
    manage(environment, "migrate", "shop", "zero", "--verbosity=0")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_proc WHERE proname LIKE 'capture_shop%'")
        assert cursor.fetchone() == (0,)
    manage(environment, "migrate", "--verbosity=0")
    manage(environment, "check", "--database", "default")
