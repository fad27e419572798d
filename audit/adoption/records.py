"""History of adopted tables: simple-history's models over lenient tables in schema custody, composite keys included."""

from __future__ import annotations

import copy
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q
from simple_history.manager import HistoricalQuerySet, HistoryManager
from simple_history.models import HistoricalChanges

from audit.adoption.naming import history_column, history_table
from audit.names import place, split_table
from audit.records import TrackedRecords


def key_attributes(model: Any) -> list[str]:
    """Attribute names of a model's key, one or several; the historical model has the same ones."""
    return [field.attname for field in model._meta.pk_fields]


class KeyedQuerySet(HistoricalQuerySet):
    """Historical rows whose original may have a key of several columns."""

    def filter(self, *args: Any, **kwargs: Any) -> Any:
        """`pk=` means the original's key while the queryset yields instances."""
        if self._as_instances and "pk" in kwargs:
            kwargs.update(key_filter(self.model.instance_type, kwargs.pop("pk")))
        return super().filter(*args, **kwargs)

    def latest_of_each(self) -> Any:
        """The latest historical row of each key, removals included; equal times are told apart by history_id."""
        same = {name: OuterRef(name) for name in key_attributes(self.model.instance_type)}
        later = Q(history_date__gt=OuterRef("history_date")) | Q(
            history_date=OuterRef("history_date"), history_id__gt=OuterRef("history_id")
        )
        return self.filter(~Exists(self.filter(later, **same)))


class KeyedManager(HistoryManager):
    """`Model.history` and `row.history` for keys of one or several columns."""

    def get_queryset(self) -> Any:
        rows = self.get_super_queryset()
        if self.instance is None:
            return rows
        return rows.filter(**key_filter(type(self.instance), self.instance.pk))


def key_filter(model: Any, key: Any) -> dict[str, Any]:
    """Keyword arguments that pick the historical rows of one original."""
    names = key_attributes(model)
    values = key if isinstance(key, (tuple, list)) else (key,)
    return dict(zip(names, values, strict=True))


class AdoptedRecords(TrackedRecords):
    """`history = AdoptedRecords()` on an adopted model.

    The table is made by the app's migration (`audit.adoption.operations`), not by Django.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("history_manager", KeyedManager)
        kwargs.setdefault("historical_queryset", KeyedQuerySet)
        super().__init__(**kwargs)

    def fields_included(self, model: Any) -> list[Any]:
        return [field for field in super().fields_included(model) if field.column is not None]

    def copy_fields(self, model: Any) -> dict[str, Any]:
        """Plain copies: nullable, stored where history keeps the column, values of generated columns included."""
        return {name: _lenient(field) for name, field in super().copy_fields(model).items()}

    def get_extra_fields(self, model: Any, fields: Any) -> dict[str, Any]:
        extra: dict[str, Any] = super().get_extra_fields(model, fields)
        extra["diff_against"] = _diff_against
        extra["next_record"] = property(_next_record)
        extra["prev_record"] = property(_prev_record)
        return extra

    def get_meta_options(self, model: Any) -> dict[str, Any]:
        options: dict[str, Any] = super().get_meta_options(model)
        schema, table = split_table(model._meta.db_table)
        options["db_table"] = place(("custody", history_table(schema, table)))
        options["managed"] = False
        options["indexes"] = []
        options["constraints"] = []
        return options


def _lenient(field: Any) -> Any:
    if field.generated:
        plain: Any = copy.copy(field.output_field if isinstance(field, models.GeneratedField) else field.plain_field())
        plain.name = field.attname
        plain.creation_counter = field.creation_counter
        plain.db_column = field.column
        field = plain
    own = field.db_column or (f"{field.name}_id" if isinstance(field, models.ForeignKey) else field.column)
    field.null = True
    field.db_default = models.NOT_PROVIDED
    field.db_column = history_column(own)
    return field


def _diff_against(
    record: Any, old_history: Any, excluded_fields: Any = None, included_fields: Any = None, **options: Any
) -> Any:
    """simple-history's comparison, columns that the database computes included."""
    if included_fields is None:
        included_fields = {field.name for field in record.tracked_fields if field.editable or field.generated}
    return HistoricalChanges.diff_against(record, old_history, excluded_fields, included_fields, **options)


def _same_row(record: Any) -> Any:
    names = key_attributes(record.instance_type)
    return type(record)._default_manager.filter(**{name: getattr(record, name) for name in names})


def _next_record(record: Any) -> Any:
    """The following version; equal times are told apart by history_id."""
    later = Q(history_date__gt=record.history_date) | Q(
        history_date=record.history_date, history_id__gt=record.history_id
    )
    return _same_row(record).filter(later).order_by("history_date", "history_id").first()


def _prev_record(record: Any) -> Any:
    """The version before; equal times are told apart by history_id."""
    earlier = Q(history_date__lt=record.history_date) | Q(
        history_date=record.history_date, history_id__lt=record.history_id
    )
    return _same_row(record).filter(earlier).order_by("history_date", "history_id").last()
