"""Turns a model's declaration into the constraints that migrations keep in step.

Django's autodetector compares `Meta.constraints`; what is attached here is therefore created,
altered and dropped by ordinary migrations: capture triggers with the exact column list, the tenant
in key and foreign keys, and row level security.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.fields.related import lazy_related_operation

from audit.capture import LATEST
from audit.constraints import Capture, FillFactor, TenantForeignKey, TenantKey, TenantPolicy


def attach(model: Any, *, excluded: tuple[str, ...] = ()) -> None:
    """Attach the constraints of one governed model; called once, when its class is ready."""
    stem = f"{model._meta.app_label}_{model._meta.model_name}"
    if model._meta.managed and model.governance.tenant:
        _add(model, TenantKey(name=f"{stem}_tenant_key"))
        _add(model, TenantPolicy(name=f"{stem}_tenant_policy"))
        _isolate_foreign_keys(model, stem)
    if model._meta.managed and model.governance.mass_deletes:
        _add(model, FillFactor(name=f"{stem}_fillfactor", percent=50))
    if model._meta.managed:
        _add(model, _capture(model, stem))


def _capture(model: Any, stem: str) -> Capture:
    history = getattr(model, model._meta.simple_history_manager_attribute).model
    shared = [field for field in history.tracked_fields if field.column is not None]
    return Capture(
        name=f"{stem}_capture",
        history_table=history._meta.db_table,
        columns=tuple(field.column for field in shared),
        key=tuple(field.column for field in model._meta.pk_fields),
        tenant="tenant_id" if model.governance.tenant else None,
        entity=model._meta.label_lower,
        fail_open=model.governance.fail_open,
        version=LATEST,
        integer_key=len(model._meta.pk_fields) == 1 and isinstance(model._meta.pk, models.IntegerField),
    )


def _isolate_foreign_keys(model: Any, stem: str) -> None:
    """A foreign key to another tenant entity becomes (tenant, key), so it cannot cross tenants."""
    for field in model._meta.local_fields:
        if isinstance(field, models.ForeignKey):
            lazy_related_operation(_isolate, model, field.remote_field.model, field=field, stem=stem)


def _isolate(model: Any, target: Any, *, field: Any, stem: str) -> None:
    governance = getattr(target, "governance", None)
    if governance is None or not governance.tenant:
        return
    field.db_constraint = False
    _add(
        model,
        TenantForeignKey(
            name=f"{stem}_{field.name}_tenant_fk",
            column=field.column,
            target=target._meta.db_table,
            target_column=field.target_field.column,
        ),
    )


def _add(model: Any, constraint: Any) -> None:
    """Append to Meta.constraints as if the model had declared it."""
    model._meta.constraints = [*model._meta.constraints, constraint]
    model._meta.original_attrs["constraints"] = model._meta.constraints
