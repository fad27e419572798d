"""A hold and the rows it was placed on. Placed by one person, lifted by another: a constraint, not manners."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from audit.constraints import TenantForeignKey, TenantKey, TenantPolicy


class Hold(models.Model):
    """What is held, for which matter, by whom. Its terms never change; it is lifted once (`changes/sql/holds_v1.sql`)."""

    app_privileges = frozenset({"SELECT", "INSERT", "UPDATE"})

    class Scope(models.TextChoices):
        ROWS = "rows", _("selected rows")
        TABLE = "table", _("the whole table")
        TENANT = "tenant", _("every table")

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    name = models.CharField(_("name"), max_length=200)
    matter = models.CharField(_("matter number"), max_length=80)
    reason = models.TextField(_("reason"))
    scope = models.CharField(_("what is held"), max_length=16, choices=Scope.choices)
    entity = models.CharField(_("table"), max_length=160, blank=True)
    selection = models.JSONField(default=dict)
    rows = models.BigIntegerField(_("rows"), default=0)
    placed_at = models.DateTimeField(_("placed"), db_default=Now())
    placed_person_id = models.BigIntegerField()
    placed_name = models.TextField(_("placed by"))
    lifted_at = models.DateTimeField(_("lifted"), null=True)
    lifted_person_id = models.BigIntegerField(null=True)
    lifted_name = models.TextField(_("lifted by"), blank=True)
    lifted_reason = models.TextField(blank=True)

    class Meta:
        verbose_name = _("legal hold")
        verbose_name_plural = _("legal holds")
        indexes = [
            models.Index(
                fields=["tenant_id", "entity"], name="changes_hold_active", condition=Q(lifted_at__isnull=True)
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(lifted_person_id__isnull=True) | ~Q(lifted_person_id=F("placed_person_id")),
                name="changes_hold_two_persons",
            ),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_person_id__isnull=True)
                | Q(lifted_at__isnull=False, lifted_person_id__isnull=False),
                name="changes_hold_lifted_by_a_person",
            ),
            models.CheckConstraint(
                condition=Q(scope="tenant", entity="") | (Q(scope__in=("rows", "table")) & ~Q(entity="")),
                name="changes_hold_scope",
            ),
            TenantKey(name="changes_hold_tenant_key"),
            TenantPolicy(name="changes_hold_tenant_policy"),
        ]

    def __str__(self) -> str:
        return f"H-{self.pk}"


class HeldRow(models.Model):
    """One row on hold. `key` is a whole number as text, or the key as JSON, as `custody.is_held` compares it."""

    app_privileges = frozenset({"SELECT", "INSERT"})

    pk = models.CompositePrimaryKey("tenant_id", "hold_id", "key")
    tenant_id = models.IntegerField()
    hold_id = models.BigIntegerField()
    key = models.TextField()

    class Meta:
        verbose_name = _("row on hold")
        verbose_name_plural = _("rows on hold")
        constraints = [
            TenantPolicy(name="changes_heldrow_tenant_policy"),
            TenantForeignKey(
                name="changes_heldrow_hold_tenant_fk", column="hold_id", target="changes_hold", target_column="id"
            ),
        ]

    def __str__(self) -> str:
        return self.key
