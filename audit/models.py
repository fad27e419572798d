"""The record's own tables: events, and the limits the database enforces per governed table."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audit.constraints import AppendOnly
from audit.fields import Xid8Field


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
