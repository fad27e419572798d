"""Tenants, and the person behind each account. Several accounts may belong to one person."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

# Who was once named on the record stays; a login is made inactive instead.
KEPT = frozenset({"SELECT", "INSERT", "UPDATE"})


class Tenant(models.Model):
    """A customer organisation whose rows nobody else sees."""

    app_privileges = KEPT

    id = models.AutoField(primary_key=True)
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("short name"), unique=True)

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")

    def __str__(self) -> str:
        return self.name


class Person(models.Model):
    """A human being. Separation of duties compares persons, never accounts."""

    app_privileges = KEPT

    name = models.CharField(_("name"), max_length=120)

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("persons")

    def __str__(self) -> str:
        return self.name


class Account(models.Model):
    """Links a login to its person and to the tenant it works in."""

    app_privileges = KEPT

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="account")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="accounts")
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, null=True, blank=True, related_name="accounts")

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")

    def __str__(self) -> str:
        return f"{self.user_id}"


class Decision(models.Model):
    """A recorded answer of the policy decision point, allowed or not."""

    id = models.UUIDField(primary_key=True)
    decided_at = models.DateTimeField(db_default=Now())
    tenant_id = models.IntegerField(null=True)
    user_id = models.BigIntegerField(null=True)
    person_id = models.BigIntegerField(null=True)
    actor_name = models.TextField()
    action = models.TextField()
    resource = models.TextField()
    allowed = models.BooleanField()
    rule = models.TextField()

    app_privileges = frozenset({"SELECT", "INSERT"})

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")

    def __str__(self) -> str:
        return f"{self.action} {self.resource}"
