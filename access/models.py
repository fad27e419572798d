"""Tenants, and the person behind each account. Several accounts may belong to one person."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
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


class Proof(models.Model):
    """One fresh proof of who somebody is, bound to the session or token it was given in.

    Written by `custody.record_proof` alone, which takes account, session and time from the database's own side.
    """

    class Method(models.TextChoices):
        PASSWORD = "password", _("password")
        CODE = "code", _("code of an app")
        PASSKEY = "passkey", _("passkey")

    user_id = models.BigIntegerField()
    person_id = models.BigIntegerField(null=True)
    method = models.CharField(_("how"), max_length=16, choices=Method.choices)
    session = models.CharField(max_length=64)
    asked_for = models.CharField(max_length=100)
    proved_at = models.DateTimeField(_("time"))

    app_privileges = frozenset({"SELECT"})

    class Meta:
        verbose_name = _("proof")
        verbose_name_plural = _("proofs")
        indexes = [models.Index(fields=["user_id", "-proved_at"], name="access_proof_newest")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(method__in=["password", "code", "passkey"]), name="access_proof_method"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.method}"


class ProofUse(models.Model):
    """What a proof was used for; written by `custody.use_proof` alone."""

    proof = models.ForeignKey(Proof, on_delete=models.PROTECT, related_name="uses")
    action = models.CharField(max_length=100)
    resource = models.CharField(max_length=200)
    used_at = models.DateTimeField()

    app_privileges = frozenset({"SELECT"})

    class Meta:
        verbose_name = _("use of a proof")
        verbose_name_plural = _("uses of proofs")

    def __str__(self) -> str:
        return f"{self.action} {self.resource}"


class StepUpRule(models.Model):
    """Actions that ask for a proof, as configured: written by every migrate, so the application cannot lower them."""

    action = models.CharField(primary_key=True, max_length=100)
    seconds = models.IntegerField()
    methods = ArrayField(models.CharField(max_length=16))

    app_privileges = frozenset({"SELECT"})

    class Meta:
        verbose_name = _("action that asks for a proof")
        verbose_name_plural = _("actions that ask for a proof")

    def __str__(self) -> str:
        return self.action


class SpentCode(models.Model):
    """The last time step whose code a login used: neither that code nor an earlier one is taken again."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="+")
    step = models.BigIntegerField()

    app_privileges = KEPT

    class Meta:
        verbose_name = _("used code")
        verbose_name_plural = _("used codes")

    def __str__(self) -> str:
        return f"{self.user_id}"
