"""django-simple-history's historical models, filled by the database.

The Python signals of simple-history are not connected: statement triggers (`audit.capture`) write
every row, so `bulk_create`, `update()`, raw SQL and other programs are recorded like `save()`.
"""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.signals import post_delete, post_save, pre_delete
from simple_history.models import HistoricalRecords
from simple_history.utils import get_history_manager_from_history

from audit import declarations
from audit.constraints import AppendOnly
from audit.fields import Xid8Field


class RecordedRow(models.Model):
    """What the capture adds to each historical row: its event, its change, its transaction."""

    event_id = models.BigIntegerField(null=True, editable=False)
    change_id = models.BigIntegerField(null=True, editable=False)
    xid = Xid8Field(null=True, editable=False)

    class Meta:
        abstract = True


class TrackedRecords(HistoricalRecords):
    """`history = TrackedRecords()` on a governed model."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("bases", (RecordedRow,))
        kwargs.setdefault("history_id_field", models.BigAutoField())
        kwargs.setdefault("history_change_reason_field", models.TextField(null=True))
        kwargs.setdefault("user_db_constraint", False)
        super().__init__(**kwargs)

    def finalize(self, sender: Any, **kwargs: Any) -> None:
        super().finalize(sender, **kwargs)
        if getattr(sender._meta, "simple_history_manager_attribute", None) != self.manager_name:
            return
        for signal, receiver in (
            (post_save, self.post_save),
            (post_delete, self.post_delete),
            (pre_delete, self.pre_delete),
        ):
            signal.disconnect(receiver, sender=sender)
        declarations.attach(sender, excluded=tuple(self.excluded_fields))

    def fields_included(self, model: Any) -> list[Any]:
        left_out = {*self.excluded_fields, *model.governance.untracked}
        return [f for f in model._meta.fields if f.name not in left_out and not _is_virtual(f)]

    def copy_fields(self, model: Any) -> dict[str, Any]:
        """No index on copied columns: each costs more than the trigger itself."""
        fields: dict[str, Any] = super().copy_fields(model)
        for field in fields.values():
            field.db_index = False
            field._unique = False
        return fields

    def get_extra_fields(self, model: Any, fields: Any) -> dict[str, Any]:
        extra: dict[str, Any] = super().get_extra_fields(model, fields)
        extra["history_user"].db_index = False
        extra["next_record"] = property(_next_record)
        extra["prev_record"] = property(_prev_record)
        return extra

    def get_meta_options(self, model: Any) -> dict[str, Any]:
        options: dict[str, Any] = super().get_meta_options(model)
        stem = f"{model._meta.app_label}_{model._meta.model_name}"[:20]
        options["indexes"] = [
            models.Index(fields=[model._meta.pk.name, "history_id"], name=f"{stem}_hist_key"),
            BrinIndex(fields=["event_id"], name=f"{stem}_hist_evt", autosummarize=True),
        ]
        options["constraints"] = [
            AppendOnly(name=f"{stem}_append_only", tenant="tenant_id" if model.governance.tenant else None)
        ]
        return options


def _is_virtual(field: Any) -> bool:
    """A virtual generated column is NULL in a transition table, so history leaves it out."""
    return bool(getattr(field, "generated", False)) and not field.db_persist


def _next_record(row: Any) -> Any:
    """The following version; equal times are told apart by history_id."""
    rows = get_history_manager_from_history(row)
    later = Q(history_date__gt=row.history_date) | Q(history_date=row.history_date, history_id__gt=row.history_id)
    return rows.filter(later).order_by("history_date", "history_id").first()


def _prev_record(row: Any) -> Any:
    """The version before; equal times are told apart by history_id."""
    rows = get_history_manager_from_history(row)
    earlier = Q(history_date__lt=row.history_date) | Q(history_date=row.history_date, history_id__lt=row.history_id)
    return rows.filter(earlier).order_by("history_date", "history_id").last()


__all__ = ["RecordedRow", "TrackedRecords"]
