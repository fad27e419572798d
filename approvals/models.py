"""Tickets and votes. A vote's person differs from the requester by constraint, not by manners."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from approvals.notices.models import Delivery, Message, Notice, Preference, Receiver
from audit.constraints import TenantForeignKey, TenantKey, TenantPolicy
from changes.models import Change


class Ticket(models.Model):
    """The human decision about one change. A change that goes back to voting begins a new round of the same ticket."""

    app_privileges = frozenset({"SELECT", "INSERT", "UPDATE"})

    class State(models.TextChoices):
        PENDING = "pending", _("waiting")
        APPROVED = "approved", _("approved")
        REJECTED = "rejected", _("rejected")
        WITHDRAWN = "withdrawn", _("withdrawn")
        EXPIRED = "expired", _("expired")

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    change = models.OneToOneField(Change, models.PROTECT, related_name="ticket", db_constraint=False)
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.PENDING)
    title = models.CharField(_("title"), max_length=200)
    required = models.SmallIntegerField(_("approvals needed"))
    rule = models.JSONField(default=dict)
    digest = models.CharField(_("fingerprint"), max_length=64)
    requester_person_id = models.BigIntegerField()
    requester_name = models.TextField(_("asked by"))
    created_at = models.DateTimeField(_("asked"), db_default=Now())
    expires_at = models.DateTimeField(_("expires"))
    decided_at = models.DateTimeField(null=True)
    round = models.SmallIntegerField(_("round"), default=1, db_default=1)

    class Meta:
        verbose_name = _("ticket")
        verbose_name_plural = _("tickets")
        indexes = [models.Index(fields=["tenant_id", "state", "id"], name="approvals_ticket_state")]
        constraints = [
            models.CheckConstraint(condition=Q(required__gte=1), name="approvals_ticket_required"),
            models.UniqueConstraint(
                fields=["tenant_id", "id", "requester_person_id"], name="approvals_ticket_requester"
            ),
            TenantKey(name="approvals_ticket_tenant_key"),
            TenantPolicy(name="approvals_ticket_tenant_policy"),
            TenantForeignKey(
                name="approvals_ticket_change_tenant_fk",
                column="change_id",
                target="changes_change",
                target_column="id",
            ),
        ]

    def __str__(self) -> str:
        return f"T-{self.pk}"


class Vote(models.Model):
    """One person's decision in one round, bound to the fingerprint that person saw."""

    class Decision(models.TextChoices):
        APPROVE = "approve", _("approved")
        REJECT = "reject", _("rejected")

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    ticket = models.ForeignKey(Ticket, models.PROTECT, related_name="votes", db_constraint=False)
    requester_person_id = models.BigIntegerField()
    person_id = models.BigIntegerField()
    user_id = models.BigIntegerField()
    name = models.TextField(_("who"))
    decision = models.CharField(_("decision"), max_length=16, choices=Decision.choices)
    digest = models.CharField(_("fingerprint"), max_length=64)
    reason = models.TextField(_("reason"), blank=True)
    created_at = models.DateTimeField(_("time"), db_default=Now())
    round = models.SmallIntegerField(_("round"), default=1, db_default=1)

    app_privileges = frozenset({"SELECT", "INSERT"})

    class Meta:
        verbose_name = _("vote")
        verbose_name_plural = _("votes")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "ticket", "round", "person_id"], name="approvals_vote_one_per_person"
            ),
            models.CheckConstraint(
                condition=~Q(person_id=F("requester_person_id")), name="approvals_vote_not_the_requester"
            ),
            TenantKey(name="approvals_vote_tenant_key"),
            TenantPolicy(name="approvals_vote_tenant_policy"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.decision}"


__all__ = ["Delivery", "Message", "Notice", "Preference", "Receiver", "Ticket", "Vote"]
