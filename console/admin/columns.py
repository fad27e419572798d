"""Which fields of an entity a list shows, filters and searches, when nobody chose them."""

from __future__ import annotations

from typing import Any

from django.db import models

from audit.entity import SoftDeleted

COLUMNS, FILTERS, SEARCHED = 7, 4, 3
# Columns every entity has; lists are about what is special.
COMMON = frozenset({"is_deleted", "deleted_at", "retention_policy", "tenant_id", "status", "created_at", "updated_at"})


def special_fields(model: type[SoftDeleted]) -> list[Any]:
    """The model's own fields without the key, sensitive ones and long or nested values."""
    hidden = COMMON | set(model.governance.sensitive)
    return [
        field
        for field in model._meta.concrete_fields
        if field.name not in hidden
        and not field.primary_key
        and not isinstance(field, (models.TextField, models.JSONField))
        and field.get_internal_type() != "ArrayField"
    ]


def list_columns(model: type[SoftDeleted]) -> list[str]:
    """Names for `list_display`, the key first."""
    return [_key(model), *[field.name for field in special_fields(model)[: COLUMNS - 1]]]


def _key(model: type[SoftDeleted]) -> str:
    pk: Any = model._meta.pk
    return str(pk.name)


def joined(model: type[SoftDeleted]) -> list[str]:
    """Foreign keys among the columns, fetched in the same query."""
    shown = set(list_columns(model))
    return [f.name for f in model._meta.concrete_fields if isinstance(f, models.ForeignKey) and f.name in shown]


def list_filters(model: type[SoftDeleted]) -> list[str]:
    """Fields with few values, and the first time."""
    fields = special_fields(model)
    few = [f.name for f in fields if f.choices or isinstance(f, models.BooleanField)]
    times = [f.name for f in fields if isinstance(f, models.DateField)]
    return [*few[: FILTERS - 1], *times[:1]]


def searched(model: Any) -> list[Any]:
    """Text fields a search looks into, by their beginning."""
    texts = [f for f in special_fields(model) if isinstance(f, models.CharField) and not f.choices]
    return texts[:SEARCHED]


def key_text(row: Any) -> str:
    """The key as it stands in addresses and lists."""
    return "/".join(map(str, row.pk)) if isinstance(row.pk, tuple) else str(row.pk)


def shown(row: Any, field: Any) -> Any:
    """A field's value for people: the key as text, the words of a choice, a foreign key's key."""
    if field.primary_key:
        return key_text(row)
    return getattr(row, f"get_{field.name}_display")() if field.choices else getattr(row, field.attname)
