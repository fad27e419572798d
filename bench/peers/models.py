"""The same twelve columns and indexes everywhere; only who writes the history differs."""

from __future__ import annotations

import pghistory
from django.db import models
from simple_history.models import HistoricalRecords

from audit.entity import Entity, Governance
from audit.records import TrackedRecords


class Business(models.Model):
    """What the rows are about, and the two indexes beside the key."""

    customer_id = models.IntegerField(db_index=True)
    total = models.DecimalField(max_digits=12, decimal_places=2)
    currency = models.CharField(max_length=3)
    note = models.TextField()
    phone = models.TextField()
    booked_at = models.DateTimeField(db_index=True)

    class Meta:
        abstract = True


class Full(Entity, Business):  # noqa: DJ008
    """Governed, three indexes, pages filled."""

    governance = Governance(label="full")
    history = TrackedRecords()


class Mass(Entity, Business):  # noqa: DJ008
    """Governed and declared for mass deletes: half of each page stays free, so updates stay HOT."""

    governance = Governance(label="mass", mass_deletes=True, allow_large=True)
    history = TrackedRecords()


class Plain(models.Model):
    """An entity's columns without an entity."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    status = models.CharField(max_length=32, default="active", db_default="active")
    retention_policy = models.CharField(max_length=32, default="standard", db_default="standard")
    is_deleted = models.BooleanField(default=False, db_default=False)
    deleted_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        abstract = True


class Bare(Plain, Business):  # noqa: DJ008
    """No history at all."""


class SimpleHistory(Plain, Business):  # noqa: DJ008
    """django-simple-history as it comes."""

    history = HistoricalRecords()


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent(), level=pghistory.Statement)
class PgHistory(Plain, Business):  # noqa: DJ008
    """django-pghistory in statement mode."""
