"""Eras, ticks and snapshots. What they mean is set by the database (`audit/sql/snapshots_v1.sql`)."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audit.constraints import TenantForeignKey, TenantKey, TenantPolicy
from audit.fields import PgSnapshotField, Xid8Field

READ = frozenset({"SELECT"})
KEPT = frozenset({"SELECT", "INSERT", "UPDATE"})


class Era(models.Model):
    """The life of the data in one cluster. A dump restored elsewhere begins the next one.

    Events from `first_event_id` on carry transaction ids of this cluster. `is_exact`: the boundary was found,
    not assumed.
    """

    app_privileges = READ

    number = models.IntegerField(primary_key=True)
    system_identifier = models.BigIntegerField()
    began_at = models.DateTimeField()
    first_event_id = models.BigIntegerField()
    is_exact = models.BooleanField()
    xid = Xid8Field()

    class Meta:
        verbose_name = _("era")
        verbose_name_plural = _("eras")

    def __str__(self) -> str:
        return str(self.number)


class Tick(models.Model):
    """The state of everything at one moment, twice a minute. Holds no tenant's data."""

    app_privileges = READ

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    era = models.IntegerField()
    xid = Xid8Field()
    snapshot = PgSnapshotField()
    last_event = models.BigIntegerField()

    class Meta:
        verbose_name = _("tick")
        verbose_name_plural = _("ticks")
        indexes = [
            models.Index(fields=["at", "id"], name="audit_tick_at"),
            models.Index(fields=["era", "xid"], name="audit_tick_era_xid"),
        ]

    def __str__(self) -> str:
        return self.at.isoformat()


class Snapshot(models.Model):
    """A named state of some entities of one tenant. Only how long it is kept can change."""

    app_privileges = KEPT

    class Kind(models.TextChoices):
        NAMED = "named", _("named")
        DAILY = "daily", _("daily")
        BEFORE_RUN = "before_run", _("before a run")

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    era = models.IntegerField(editable=False)
    system_identifier = models.BigIntegerField(editable=False)
    pg_snapshot = PgSnapshotField(editable=False)
    event_floor = models.BigIntegerField(editable=False)
    taken_at = models.DateTimeField(_("taken"), editable=False)
    taken_by_id = models.BigIntegerField(null=True)
    person_id = models.BigIntegerField(null=True)
    taken_by_name = models.TextField(_("taken by"))
    change_id = models.BigIntegerField(null=True)
    note = models.TextField(_("note"), blank=True)
    kept_until = models.DateTimeField(_("kept until"), null=True)
    hold = models.BooleanField(_("held"), default=False)

    class Meta:
        verbose_name = _("snapshot")
        verbose_name_plural = _("snapshots")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["named", "daily", "before_run"]), name="audit_snapshot_kind_known"
            ),
            models.UniqueConstraint(fields=["tenant_id", "kind", "name"], name="audit_snapshot_name"),
            TenantKey(name="audit_snapshot_tenant_key"),
            TenantPolicy(name="audit_snapshot_tenant_policy"),
        ]

    def __str__(self) -> str:
        return self.name


class SnapshotTable(models.Model):
    """One entity in a snapshot: its columns then, and what was counted once somebody measured it."""

    app_privileges = KEPT

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    snapshot = models.ForeignKey(Snapshot, models.CASCADE, related_name="tables", db_constraint=False)
    entity = models.CharField(_("table"), max_length=160)
    columns = models.JSONField()
    schema_fingerprint = models.CharField(max_length=64)
    rows = models.BigIntegerField(_("rows"), null=True)
    live_rows = models.BigIntegerField(_("live rows"), null=True)
    checksum = models.CharField(_("checksum"), max_length=40, blank=True)
    measured_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("table of a snapshot")
        verbose_name_plural = _("tables of a snapshot")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "snapshot", "entity"], name="audit_snapshottable_once"),
            TenantKey(name="audit_snapshottable_tenant_key"),
            TenantPolicy(name="audit_snapshottable_tenant_policy"),
            TenantForeignKey(
                name="audit_snapshottable_snapshot_fk",
                column="snapshot_id",
                target="audit_snapshot",
                target_column="id",
            ),
        ]

    def __str__(self) -> str:
        return self.entity
