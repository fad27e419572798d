"""The record's own tables: events, and the limits the database enforces per governed table."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from audit.constraints import AppendOnly, TenantKey, TenantPolicy
from audit.fields import Xid8Field
from audit.snapshots.models import Era, Snapshot, SnapshotTable, Tick


class Event(models.Model):
    """One statement on a governed table, or one act (operation “*”). Written by the database only."""

    class Operation(models.TextChoices):
        INSERT = "+", _("Inserted")
        UPDATE = "~", _("Updated")
        REMOVE = "-", _("Removed")
        ACT = "*", _("Act")

    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField(default=uuid.uuid4, editable=False)
    occurred_at = models.DateTimeField(_("time"))
    xid = Xid8Field()
    target_table = models.TextField(_("table"))
    entity = models.TextField(_("entity"))
    operation = models.CharField(_("operation"), max_length=1, choices=Operation.choices)
    action = models.TextField(_("action"))
    affected_rows = models.BigIntegerField(_("rows"))
    operator_id = models.BigIntegerField(_("account"), null=True)
    person_id = models.BigIntegerField(_("person"), null=True)
    operator_name = models.TextField(_("who"))
    tenant_id = models.IntegerField(_("tenant"), null=True)
    ip = models.GenericIPAddressField(_("address"), null=True)
    trace_id = models.TextField(_("trace"), default="")
    request_id = models.TextField(_("request"), default="")
    change_id = models.BigIntegerField(_("change"), null=True)
    channel = models.TextField(_("channel"))
    decision_id = models.UUIDField(_("decision"), null=True)
    reason = models.TextField(_("reason"), default="")
    db_role = models.TextField(_("database login"))
    application = models.TextField(_("program"), default="")
    before_state = models.JSONField(_("before"), null=True)
    facts = models.JSONField(_("facts"), null=True)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        indexes = [
            models.Index(fields=["tenant_id", "entity", "id"], name="audit_event_entity"),
            models.Index(fields=["change_id", "id"], name="audit_event_change", condition=Q(change_id__isnull=False)),
        ]
        constraints = [AppendOnly(name="audit_event_append_only", tenant="tenant_id")]

    def __str__(self) -> str:
        return f"{self.action} {self.entity} ({self.affected_rows})"


class GovernedTable(models.Model):
    """Rows a transaction, and a person within ten minutes, may touch without a running change. Written after migrate."""

    table_name = models.TextField(primary_key=True)
    entity = models.TextField()
    row_limit = models.BigIntegerField()
    window_rows = models.BigIntegerField()

    class Meta:
        verbose_name = _("governed table")
        verbose_name_plural = _("governed tables")

    def __str__(self) -> str:
        return self.table_name


class Exemption(models.Model):
    """A login that may change more rows of one table than others: asked for by one person, agreed to by another.

    Void once it has expired or was withdrawn. Its terms never change; `audit/sql/exemptions_v1.sql` sees to it.
    """

    app_privileges = frozenset({"SELECT", "INSERT", "UPDATE"})

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    entity = models.CharField(_("table"), max_length=160)
    role = models.CharField(_("database login"), max_length=63)
    transaction_rows = models.BigIntegerField(_("rows per transaction"))
    window_rows = models.BigIntegerField(_("rows within ten minutes"))
    reason = models.TextField(_("reason"))
    expires_at = models.DateTimeField(_("expires"))
    asked_at = models.DateTimeField(_("asked"), db_default=Now())
    asked_person_id = models.BigIntegerField()
    asked_name = models.TextField(_("asked by"))
    agreed_at = models.DateTimeField(_("agreed"), null=True)
    agreed_person_id = models.BigIntegerField(null=True)
    agreed_name = models.TextField(_("agreed by"), blank=True)
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True)
    withdrawn_name = models.TextField(_("withdrawn by"), blank=True)

    class Meta:
        verbose_name = _("exemption")
        verbose_name_plural = _("exemptions")
        constraints = [
            models.CheckConstraint(
                condition=~Q(agreed_person_id=F("asked_person_id")), name="audit_exemption_two_persons"
            ),
            models.CheckConstraint(
                condition=Q(agreed_at__isnull=True, agreed_person_id__isnull=True)
                | Q(agreed_at__isnull=False, agreed_person_id__isnull=False),
                name="audit_exemption_agreed_by_a_person",
            ),
            models.CheckConstraint(
                condition=~Q(role__in=("custody_app", "custody_owner")), name="audit_exemption_not_for_custody"
            ),
            models.CheckConstraint(
                condition=Q(transaction_rows__gte=1) & Q(window_rows__gte=F("transaction_rows")),
                name="audit_exemption_rows",
            ),
            TenantKey(name="audit_exemption_tenant_key"),
            TenantPolicy(name="audit_exemption_tenant_policy"),
        ]

    def __str__(self) -> str:
        return f"E-{self.pk}"


class RetentionPolicy(models.Model):
    """How long deleted rows stay under a policy whose name does not say it. Written after migrate, from the settings."""

    app_privileges = frozenset({"SELECT"})

    name = models.CharField(primary_key=True, max_length=32)
    keep = models.DurationField()

    class Meta:
        verbose_name = _("retention policy")
        verbose_name_plural = _("retention policies")

    def __str__(self) -> str:
        return self.name


class ArchiveFile(models.Model):
    """Rows in cold storage: frozen rows (lo, hi] of one part of a change, written and read back. Written by the database only.

    frozen  how many rows the change froze there; rows are those of them that had not moved
    path    relative to the setting CUSTODY_ARCHIVE_DIR
    """

    app_privileges = frozenset({"SELECT"})

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    change_id = models.BigIntegerField(_("change"))
    part = models.SmallIntegerField()
    number = models.IntegerField()
    entity = models.CharField(_("table"), max_length=160)
    lo = models.BigIntegerField()
    hi = models.BigIntegerField()
    frozen = models.BigIntegerField()
    rows = models.BigIntegerField(_("rows"))
    bytes = models.BigIntegerField(_("bytes"))
    sha256 = models.CharField("SHA-256", max_length=64)
    schema_fingerprint = models.CharField(max_length=64)
    path = models.TextField(_("file"))
    verified_at = models.DateTimeField(_("verified"))

    class Meta:
        verbose_name = _("archive file")
        verbose_name_plural = _("archive files")
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "change_id", "part", "lo"], name="audit_archivefile_range"),
            TenantKey(name="audit_archivefile_tenant_key"),
            AppendOnly(name="audit_archivefile_append_only", tenant="tenant_id"),
        ]

    def __str__(self) -> str:
        return self.path


__all__ = [
    "ArchiveFile",
    "Era",
    "Event",
    "Exemption",
    "GovernedTable",
    "RetentionPolicy",
    "Snapshot",
    "SnapshotTable",
    "Tick",
]
