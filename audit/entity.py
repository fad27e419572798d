"""Governed entities: one base class plus one small declaration per model.

A delete never removes a row. `is_deleted`, `deleted_at`, `status` and `retention_policy` are set
together, by one door (`settings.CUSTODY_DELETE_DOOR`), whoever asks: instance, queryset or admin.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from audit.errors import HardDeleteRefused, NoTenant
from foundation import context

ARCHIVED = "archived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Governance:
    """What a model declares about itself.

    label        plural noun shown to people
    threshold    rows above which a bulk change needs approval; None takes the environment's default
    window_rows  rows one person may change within ten minutes without approval; None: twice the threshold, at least 200
    allow_large  one change may touch more rows than CUSTODY_LARGE_ROWS, whoever asks; other tables leave it to a role
    mass_deletes keep half of each page free, so that soft deletes of the whole table stay HOT
    sensitive    names of fields that are not shown to everybody
    untracked    names of fields that history leaves out
    retention    retention policy written by a delete
    tenant       rows carry a tenant and are isolated by row level security
    status       whether the model has the status column that a delete turns to “archived”
    renamed      former column name → present one, so that undo and restore find what was frozen under the old name
    formerly     labels this model had before, for changes made under them
    fail_open    a failing capture lets the write pass and raises an alarm (for tables of other programs)
    """

    label: str | Promise
    threshold: int | None = None
    window_rows: int | None = None
    mass_deletes: bool = False
    allow_large: bool = False
    sensitive: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    retention: str = "standard"
    tenant: bool = True
    status: bool = True
    fail_open: bool = False
    renamed: dict[str, str] = field(default_factory=dict)
    formerly: tuple[str, ...] = ()


class EntityQuerySet(models.QuerySet[Any]):
    """A queryset whose delete goes the governed way."""

    def delete(self) -> tuple[int, dict[str, int]]:
        """Archive the rows with their dependants, or refuse and say how to ask.

        Same shape as Django's: rows in all, rows per model label.
        Raises DeleteNeedsApproval above the threshold, NobodyActing outside of `acting`.
        """
        if self.query.is_sliced:
            raise TypeError("Cannot use 'limit' or 'offset' with delete().")
        door = import_string(settings.CUSTODY_DELETE_DOOR)
        counted: tuple[int, dict[str, int]] = door(self)
        return counted

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def _raw_delete(self, using: str | None) -> NoReturn:
        raise HardDeleteRefused(entity=self.model._meta.label_lower)


class LiveManager(models.Manager.from_queryset(EntityQuerySet)):  # type: ignore[misc]
    """Rows that are not deleted."""

    def get_queryset(self) -> EntityQuerySet:
        rows: EntityQuerySet = super().get_queryset().filter(is_deleted=False)
        return rows


class DeletedManager(models.Manager.from_queryset(EntityQuerySet)):  # type: ignore[misc]
    """The recycle bin."""

    def get_queryset(self) -> EntityQuerySet:
        rows: EntityQuerySet = super().get_queryset().filter(is_deleted=True)
        return rows


class EveryManager(models.Manager.from_queryset(EntityQuerySet)):  # type: ignore[misc]
    """All rows; what Django's own machinery (relations, uniqueness, admin) works with."""


class SoftDeleted(models.Model):
    """The columns of a soft delete, and the governed ways to set them."""

    governance: Governance

    is_deleted = models.BooleanField(_("deleted"), default=False, db_default=False)
    deleted_at = models.DateTimeField(_("deleted at"), null=True, blank=True)
    retention_policy = models.CharField(_("retention policy"), max_length=32, default="standard", db_default="standard")

    objects = LiveManager()
    deleted = DeletedManager()
    objects_and_deleted = EveryManager()

    class Meta:
        abstract = True
        default_manager_name = "objects_and_deleted"
        base_manager_name = "objects_and_deleted"

    def delete(self, using: str | None = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        """Archive this row with its dependants; see `EntityQuerySet.delete`."""
        if self.pk is None:
            raise ValueError(f"{self._meta.object_name} object can't be deleted because its id is None.")
        counted: tuple[int, dict[str, int]] = type(self).objects_and_deleted.filter(pk=self.pk).delete()
        self.refresh_from_db()
        return counted


def current_tenant() -> int | None:
    """The tenant of the work in hand; the default of every tenant column."""
    work = context.current()
    return None if work is None else work.tenant_id


class Entity(SoftDeleted):
    """A governed row of one tenant. The database's key is (tenant, id)."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField(_("tenant"), default=current_tenant, editable=False)
    status = models.CharField(_("status"), max_length=32, default="active", db_default="active")
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated"), auto_now=True, db_default=Now())

    class Meta(SoftDeleted.Meta):
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.tenant_id is None:
            raise NoTenant(entity=self._meta.label_lower)
        super().save(*args, **kwargs)

    def validate_constraints(self, exclude: Any = None) -> None:
        """Unique constraints start with the tenant, which no form shows; they are checked all the same."""
        super().validate_constraints(exclude=set(exclude or ()) - {"tenant_id", "is_deleted"})


def live_unique(*fields: str, name: str) -> models.UniqueConstraint:
    """Unique among the rows of one tenant that are not deleted, in the database and in full_clean().

    Costs HOT updates on a soft delete: declare it where the business needs it.
    """
    return models.UniqueConstraint(fields=("tenant_id", *fields), condition=models.Q(is_deleted=False), name=name)
