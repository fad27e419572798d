"""The outbox: a message is what happened, a notice is its copy in one person's inbox, a delivery its way out.

All three are written by the transaction that does what they tell, so there is never one without the other.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from approvals.notices.kinds import Channel, Kind
from audit.constraints import TenantForeignKey, TenantKey, TenantPolicy

WRITTEN_ONCE = frozenset({"SELECT", "INSERT"})
KEPT = frozenset({"SELECT", "INSERT", "UPDATE"})


class Message(models.Model):
    """One thing that happened. `once` names what may be told only once, such as that a round expires soon."""

    app_privileges = WRITTEN_ONCE

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    kind = models.CharField(_("kind"), max_length=24, choices=Kind.choices)
    ticket_id = models.BigIntegerField(null=True)
    change_id = models.BigIntegerField(null=True)
    entity = models.CharField(_("table"), max_length=160, blank=True)
    title = models.CharField(_("title"), max_length=200, blank=True)
    facts = models.JSONField(default=dict)
    by_person_id = models.BigIntegerField(null=True)
    once = models.CharField(max_length=80, null=True)
    created_at = models.DateTimeField(_("time"), db_default=Now())

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="approvals_message_kind_known"),
            models.UniqueConstraint(fields=["tenant_id", "once"], name="approvals_message_once"),
            TenantKey(name="approvals_message_tenant_key"),
            TenantPolicy(name="approvals_message_tenant_policy"),
            TenantForeignKey(
                name="approvals_message_ticket_fk",
                column="ticket_id",
                target="approvals_ticket",
                target_column="id",
            ),
            TenantForeignKey(
                name="approvals_message_change_fk", column="change_id", target="changes_change", target_column="id"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.ticket_id or ''}".strip()


def _of_message(stem: str) -> list[models.BaseConstraint]:
    return [
        TenantKey(name=f"{stem}_tenant_key"),
        TenantPolicy(name=f"{stem}_tenant_policy"),
        TenantForeignKey(
            name=f"{stem}_message_fk", column="message_id", target="approvals_message", target_column="id"
        ),
    ]


class Notice(models.Model):
    """A message in one person's inbox."""

    app_privileges = KEPT

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    message = models.ForeignKey(Message, models.PROTECT, related_name="notices", db_constraint=False)
    person_id = models.BigIntegerField()
    read_at = models.DateTimeField(_("read"), null=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        indexes = [
            models.Index(fields=["tenant_id", "person_id", "id"], name="approvals_notice_person"),
            models.Index(
                fields=["tenant_id", "person_id", "id"], condition=Q(read_at=None), name="approvals_notice_unread"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "message", "person_id"], name="approvals_notice_once"),
            *_of_message("approvals_notice"),
        ]

    def __str__(self) -> str:
        return f"N-{self.pk}"


class Receiver(models.Model):
    """A program or chat room outside that is told what happens in the tenant. Its address and secret are sealed.

    `hint` is what people see of the address: enough to know it again, not enough to use it.
    """

    app_privileges = KEPT

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    channel = models.CharField(_("way"), max_length=16, choices=Channel.choices)
    name = models.CharField(_("name"), max_length=80)
    address = models.BinaryField()
    secret = models.BinaryField(null=True)
    hint = models.CharField(_("address"), max_length=200)
    kinds = models.JSONField(default=list)
    made_by = models.TextField()
    made_at = models.DateTimeField(db_default=Now())
    disabled_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("receiver")
        verbose_name_plural = _("receivers")
        constraints = [
            models.CheckConstraint(
                condition=Q(channel=Channel.WEBHOOK, secret__isnull=False)
                | Q(channel=Channel.CHAT, secret__isnull=True),
                name="approvals_receiver_webhooks_sign",
            ),
            models.UniqueConstraint(fields=["tenant_id", "name"], name="approvals_receiver_name"),
            TenantKey(name="approvals_receiver_tenant_key"),
            TenantPolicy(name="approvals_receiver_tenant_policy"),
        ]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """A message on its way to one person's address or to one receiver. `uuid` stays the same however often it is sent.

    `next_at` says when somebody may take it: a deliverer that takes it moves it ahead, so one that dies leaves it to
    the next.
    """

    app_privileges = KEPT

    class State(models.TextChoices):
        WAITING = "waiting", _("on its way")
        SENT = "sent", _("delivered")
        DEAD = "dead", _("given up")
        DROPPED = "dropped", _("no longer wanted")

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    message = models.ForeignKey(Message, models.PROTECT, related_name="deliveries", db_constraint=False)
    channel = models.CharField(_("way"), max_length=16, choices=Channel.choices)
    person_id = models.BigIntegerField(null=True)
    receiver = models.ForeignKey(Receiver, models.PROTECT, null=True, related_name="deliveries", db_constraint=False)
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.WAITING)
    attempts = models.SmallIntegerField(_("attempts"), default=0)
    next_at = models.DateTimeField(_("next attempt"), db_default=Now())
    error = models.CharField(_("last problem"), max_length=40, blank=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        indexes = [
            models.Index(fields=["tenant_id", "next_at"], condition=Q(state="waiting"), name="approvals_delivery_due"),
            models.Index(fields=["tenant_id", "state", "id"], name="approvals_delivery_state"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "sent", "dead", "dropped"]), name="approvals_delivery_state_known"
            ),
            models.CheckConstraint(
                condition=Q(person_id__isnull=False, receiver__isnull=True)
                | Q(person_id__isnull=True, receiver__isnull=False),
                name="approvals_delivery_one_address",
            ),
            models.UniqueConstraint(
                fields=["tenant_id", "message", "channel", "person_id"], name="approvals_delivery_person_once"
            ),
            models.UniqueConstraint(
                fields=["tenant_id", "message", "receiver"], name="approvals_delivery_receiver_once"
            ),
            *_of_message("approvals_delivery"),
            TenantForeignKey(
                name="approvals_delivery_receiver_fk",
                column="receiver_id",
                target="approvals_receiver",
                target_column="id",
            ),
        ]

    def __str__(self) -> str:
        return f"D-{self.pk}"


class Preference(models.Model):
    """How one person wants to be told. `ways`: per kind the list of ways; a kind that is missing goes its usual ways."""

    app_privileges = KEPT

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    person_id = models.BigIntegerField()
    ways = models.JSONField(default=dict)
    language = models.CharField(_("language"), max_length=16, blank=True)
    chat_address = models.BinaryField(null=True)
    chat_hint = models.CharField(max_length=200, blank=True)
    quiet_from = models.TimeField(null=True)
    quiet_to = models.TimeField(null=True)
    zone = models.CharField(max_length=64, default="UTC")

    class Meta:
        verbose_name = _("preference")
        verbose_name_plural = _("preferences")
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "person_id"], name="approvals_preference_person"),
            models.CheckConstraint(
                condition=Q(quiet_from__isnull=True, quiet_to__isnull=True)
                | Q(quiet_from__isnull=False, quiet_to__isnull=False),
                name="approvals_preference_quiet_pair",
            ),
            TenantKey(name="approvals_preference_tenant_key"),
            TenantPolicy(name="approvals_preference_tenant_policy"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id}"
