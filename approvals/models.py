"""Tickets and votes. A vote's person differs from the requester by constraint, not by manners."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from access.models import Proof
from approvals import life
from approvals.notices.models import Delivery, Message, Notice, Preference, Receiver
from audit.constraints import TenantForeignKey, TenantKey, TenantPolicy
from changes.models import Change


class Ticket(models.Model):
    """The human decision about one change. A change that goes back to voting begins a new round of the same ticket."""

    app_privileges = frozenset({"SELECT", "INSERT", "UPDATE"})

    State = life.State

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
    # The version of the tenant's rules that asked; written by the database, like `rule` and `required`.
    rule_version = models.IntegerField(_("version of the rules"), null=True, editable=False)

    class Meta:
        verbose_name = _("ticket")
        verbose_name_plural = _("tickets")
        indexes = [models.Index(fields=["tenant_id", "state", "id"], name="approvals_ticket_state")]
        constraints = [
            models.CheckConstraint(condition=Q(required__gte=1), name="approvals_ticket_required"),
            models.CheckConstraint(condition=Q(state__in=life.State.values), name="approvals_ticket_state_known"),
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


class Contributor(models.Model):
    """A person who had a hand in a change: asked for it, or edited its rows, words or options. Never votes on it.

    The database writes the lines itself, from the context of whoever writes a draft, and takes none out.
    """

    app_privileges = frozenset({"SELECT"})

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    change = models.ForeignKey(Change, models.PROTECT, related_name="contributors", db_constraint=False)
    person_id = models.BigIntegerField()
    name = models.TextField(_("who"))
    created_at = models.DateTimeField(_("time"), db_default=Now())

    class Meta:
        verbose_name = _("contributor")
        verbose_name_plural = _("contributors")
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "change", "person_id"], name="approvals_contributor_once"),
            TenantKey(name="approvals_contributor_tenant_key"),
            TenantPolicy(name="approvals_contributor_tenant_policy"),
            TenantForeignKey(
                name="approvals_contributor_change_tenant_fk",
                column="change_id",
                target="changes_change",
                target_column="id",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class OpenTable(models.Model):
    """The last change that put rows of a table before people. Whoever opens a ticket writes its line, one after the other."""

    app_privileges = frozenset({"SELECT"})

    pk = models.CompositePrimaryKey("tenant_id", "entity")
    tenant_id = models.IntegerField()
    entity = models.CharField(max_length=160)
    change_id = models.BigIntegerField()

    class Meta:
        verbose_name = _("table with tickets")
        verbose_name_plural = _("tables with tickets")
        constraints = [TenantPolicy(name="approvals_opentable_tenant_policy")]

    def __str__(self) -> str:
        return self.entity


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
    # Which of the rule's stages it counts for; chosen by the database.
    stage = models.SmallIntegerField(_("stage"), default=0, db_default=0)
    proof = models.ForeignKey(Proof, models.PROTECT, related_name="votes", null=True, verbose_name=_("proof"))

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


class House(models.Model):
    """The installation's one row of facts that rules are read with, written by the owner after every migrate.

    provisioning  open: roles and persons are written directly, by whatever keeps them (an identity provider, a test)
    """

    app_privileges = frozenset({"SELECT"})

    id = models.SmallIntegerField(primary_key=True, default=1)
    environment = models.CharField(_("environment"), max_length=40)
    rules = models.JSONField(_("shipped rules"), default=list)
    sensitive = models.JSONField(_("tables with sensitive fields"), default=list)
    provisioning = models.BooleanField(_("roles are written directly"), default=False, db_default=False)

    class Meta:
        verbose_name = _("house")
        verbose_name_plural = _("houses")
        constraints = [models.CheckConstraint(condition=Q(id=1), name="approvals_house_is_one")]

    def __str__(self) -> str:
        return self.environment


class RuleVersion(models.Model):
    """A tenant's rules as they were agreed to. The newest version is in force; versions are never altered."""

    app_privileges = frozenset({"SELECT"})

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    number = models.IntegerField(_("version"))
    rules = models.JSONField(_("rules"), default=list)
    amendment_id = models.BigIntegerField(_("amendment"))
    author_person_id = models.BigIntegerField()
    author_name = models.TextField(_("written by"))
    created_at = models.DateTimeField(_("in force since"), db_default=Now())

    class Meta:
        verbose_name = _("version of the rules")
        verbose_name_plural = _("versions of the rules")
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "number"], name="approvals_ruleversion_number"),
            TenantKey(name="approvals_ruleversion_tenant_key"),
            TenantPolicy(name="approvals_ruleversion_tenant_policy"),
        ]

    def __str__(self) -> str:
        return f"R-{self.number}"


class Amendment(models.Model):
    """A change of who may what: rules, roles, groups, the person behind a login. Proposed by one, agreed to by another.

    payload  `rules`: {rules: [rule, …]} · `role`: {user, group, holds} · `group`: {name} · `person`: {user, person | name}
    """

    app_privileges = frozenset({"SELECT", "INSERT", "UPDATE"})

    class Kind(models.TextChoices):
        RULES = "rules", _("rules")
        ROLE = "role", _("role")
        GROUP = "group", _("group")
        PERSON = "person", _("person")

    class State(models.TextChoices):
        PROPOSED = "proposed", _("proposed")
        AGREED = "agreed", _("agreed")
        REFUSED = "refused", _("refused")
        WITHDRAWN = "withdrawn", _("withdrawn")

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    kind = models.CharField(_("what"), max_length=16, choices=Kind.choices)
    payload = models.JSONField(_("content"), default=dict)
    evidence = models.JSONField(_("preview"), default=dict)
    reason = models.TextField(_("reason"))
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.PROPOSED)
    author_person_id = models.BigIntegerField()
    author_name = models.TextField(_("proposed by"))
    # The person who would gain or lose something: no judge of it.
    subject_person_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(_("proposed"), db_default=Now())
    expires_at = models.DateTimeField(_("expires"))
    decided_at = models.DateTimeField(_("decided"), null=True)
    decided_user_id = models.BigIntegerField(null=True)
    decided_person_id = models.BigIntegerField(null=True)
    decided_name = models.TextField(_("decided by"), blank=True)
    answer = models.TextField(_("answer"), blank=True)

    class Meta:
        verbose_name = _("amendment")
        verbose_name_plural = _("amendments")
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="agreed") | ~Q(decided_person_id=F("author_person_id")),
                name="approvals_amendment_two_persons",
            ),
            models.CheckConstraint(
                condition=~Q(state="agreed")
                | Q(subject_person_id__isnull=True)
                | ~Q(decided_person_id=F("subject_person_id")),
                name="approvals_amendment_not_the_subject",
            ),
            TenantKey(name="approvals_amendment_tenant_key"),
            TenantPolicy(name="approvals_amendment_tenant_policy"),
        ]

    def __str__(self) -> str:
        return f"A-{self.pk}"


class Comment(models.Model):
    """What a person says beside a ticket. Never changed: an edit is a line of its own that points to the first.

    `mentions` are the persons whom `@username` named when it was written.
    """

    app_privileges = frozenset({"SELECT", "INSERT"})

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    ticket = models.ForeignKey(Ticket, models.PROTECT, related_name="comments", db_constraint=False)
    edit_of = models.ForeignKey("self", models.PROTECT, null=True, related_name="edits", db_constraint=False)
    person_id = models.BigIntegerField()
    user_id = models.BigIntegerField()
    name = models.TextField(_("who"))
    text = models.TextField(_("comment"))
    mentions = models.JSONField(default=list)
    created_at = models.DateTimeField(_("time"), db_default=Now())

    class Meta:
        verbose_name = _("comment")
        verbose_name_plural = _("comments")
        ordering = ["id"]
        indexes = [models.Index(fields=["tenant_id", "ticket", "id"], name="approvals_comment_ticket")]
        constraints = [
            models.CheckConstraint(condition=~Q(text=""), name="approvals_comment_says_something"),
            TenantKey(name="approvals_comment_tenant_key"),
            TenantPolicy(name="approvals_comment_tenant_policy"),
            TenantForeignKey(
                name="approvals_comment_ticket_tenant_fk",
                column="ticket_id",
                target="approvals_ticket",
                target_column="id",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.text[:40]}"


class Watcher(models.Model):
    """A person who wants to be told about a ticket; one who stopped keeps the line, so that no mention starts it again."""

    app_privileges = frozenset({"SELECT", "INSERT", "UPDATE"})

    class Why(models.TextChoices):
        ASKED = "asked", _("asked to watch")
        COMMENTED = "commented", _("commented")
        MENTIONED = "mentioned", _("was mentioned")
        ESCALATED = "escalated", _("it was escalated")

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    ticket = models.ForeignKey(Ticket, models.PROTECT, related_name="watchers", db_constraint=False)
    person_id = models.BigIntegerField()
    name = models.TextField(_("who"))
    why = models.CharField(max_length=16, choices=Why.choices)
    watching = models.BooleanField(default=True, db_default=True)
    created_at = models.DateTimeField(_("time"), db_default=Now())

    class Meta:
        verbose_name = _("watcher")
        verbose_name_plural = _("watchers")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(why__in=["asked", "commented", "mentioned", "escalated"]),
                name="approvals_watcher_why_known",
            ),
            models.UniqueConstraint(fields=["tenant_id", "ticket", "person_id"], name="approvals_watcher_once"),
            TenantKey(name="approvals_watcher_tenant_key"),
            TenantPolicy(name="approvals_watcher_tenant_policy"),
            TenantForeignKey(
                name="approvals_watcher_ticket_tenant_fk",
                column="ticket_id",
                target="approvals_ticket",
                target_column="id",
            ),
        ]

    def __str__(self) -> str:
        return self.name


__all__ = [
    "Amendment",
    "Comment",
    "Contributor",
    "Delivery",
    "House",
    "Message",
    "Notice",
    "Preference",
    "Receiver",
    "RuleVersion",
    "Ticket",
    "Vote",
    "Watcher",
]
