"""What the engine keeps: the change, its parts, the frozen rows, the lanes of its run."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from audit.constraints import TenantForeignKey, TenantKey, TenantPolicy
from audit.fields import XidField
from changes.holds.models import HeldRow, Hold
from changes.states import UNFINISHED, Canary, Effect, Held, Operation, SkipReason, State, Verdict

# The application never removes what the engine keeps.
KEPT = frozenset({"SELECT", "INSERT", "UPDATE"})


def _of_change(stem: str) -> list[models.BaseConstraint]:
    """Tenant isolation of a table that belongs to a change."""
    return [
        TenantPolicy(name=f"{stem}_tenant_policy"),
        TenantForeignKey(
            name=f"{stem}_change_tenant_fk", column="change_id", target="changes_change", target_column="id"
        ),
    ]


def operation_choices() -> list[tuple[str, Any]]:
    """The registered operations, a project's own among them."""
    from changes.operations import REGISTRY  # the operations' files need the models

    return [(kind.name, kind.label) for kind in REGISTRY.values()]


class Change(models.Model):
    """One governed operation on one entity: what was asked, by whom, what is frozen, how far it is."""

    app_privileges = KEPT

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    operation = models.CharField(_("operation"), max_length=16, choices=operation_choices)
    entity = models.CharField(_("table"), max_length=160)
    title = models.CharField(_("title"), max_length=200)
    reason = models.TextField(_("reason"), blank=True)
    selection = models.JSONField(default=dict)
    selection_text = models.TextField(blank=True)
    options = models.JSONField(default=dict)
    state = models.CharField(_("state"), max_length=16, choices=State.choices)
    digest = models.CharField(_("fingerprint"), max_length=64, blank=True)
    snapshot = models.TextField(blank=True)
    schema_fingerprint = models.CharField(max_length=64, blank=True)
    rows_selected = models.BigIntegerField(default=0)
    rows_total = models.BigIntegerField(default=0)
    approvals_least = models.SmallIntegerField(default=0, db_default=0)
    preflight = models.JSONField(default=list)
    requested_by_id = models.BigIntegerField(null=True)
    requester_person_id = models.BigIntegerField(null=True)
    requester_name = models.TextField(_("asked by"))
    request_key = models.UUIDField(null=True)
    undo_of = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="undos", db_constraint=False
    )
    retry_of = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="retries", db_constraint=False
    )
    channel = models.CharField(max_length=20, default="shell")
    created_at = models.DateTimeField(_("asked"), db_default=Now())
    frozen_at = models.DateTimeField(null=True)
    cleared_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    started_by = models.TextField(blank=True)
    applied = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0)
    verification = models.JSONField(null=True)
    error = models.TextField(blank=True)
    held = models.CharField(max_length=16, choices=Held.choices, blank=True, default="", db_default="")
    held_facts = models.JSONField(default=dict, db_default={})
    resumed_at = models.DateTimeField(null=True)
    chunk_rows = models.IntegerField(null=True)
    rows_per_second = models.IntegerField(null=True)
    canary = models.CharField(max_length=16, choices=Canary.choices, blank=True, default="", db_default="")
    canary_until = models.DateTimeField(null=True)
    schema_seen = models.JSONField(default=dict, db_default={})
    drift = models.JSONField(null=True)
    drift_accepted = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        indexes = [
            models.Index(fields=["tenant_id", "state", "id"], name="changes_change_state"),
            models.Index(fields=["tenant_id", "requester_person_id", "id"], name="changes_change_requester"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=State.values), name="changes_change_state_known"),
            models.CheckConstraint(condition=Q(approvals_least__gte=0), name="changes_change_approvals_least"),
            models.CheckConstraint(
                condition=~Q(operation=Operation.PURGE)
                | Q(state__in=[State.DRAFT, State.REFUSED])
                | Q(approvals_least__gte=1),
                name="changes_change_purge_is_agreed",
            ),
            models.UniqueConstraint(
                fields=["tenant_id", "requested_by_id", "request_key"],
                condition=Q(request_key__isnull=False),
                name="changes_change_request_key",
            ),
            models.UniqueConstraint(
                fields=["tenant_id", "undo_of"],
                condition=Q(undo_of__isnull=False)
                & Q(state__in=[State.FROZEN, State.WAITING, State.CLEARED, *UNFINISHED]),
                name="changes_change_one_open_undo",
            ),
            models.UniqueConstraint(
                fields=["tenant_id", "retry_of"],
                condition=Q(retry_of__isnull=False)
                & Q(state__in=[State.FROZEN, State.WAITING, State.CLEARED, *UNFINISHED]),
                name="changes_change_one_open_retry",
            ),
            TenantKey(name="changes_change_tenant_key"),
            TenantPolicy(name="changes_change_tenant_policy"),
            TenantForeignKey(
                name="changes_change_undo_tenant_fk",
                column="undo_of_id",
                target="changes_change",
                target_column="id",
            ),
            TenantForeignKey(
                name="changes_change_retry_tenant_fk",
                column="retry_of_id",
                target="changes_change",
                target_column="id",
            ),
        ]

    def __str__(self) -> str:
        return f"C-{self.pk}"


class ChangePart(models.Model):
    """The rows of one table in a change, and what happens to them."""

    app_privileges = KEPT

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    change = models.ForeignKey(Change, models.CASCADE, related_name="parts", db_constraint=False)
    part = models.SmallIntegerField()
    depth = models.SmallIntegerField(default=0)
    step = models.SmallIntegerField(default=0)
    entity = models.CharField(max_length=160)
    effect = models.CharField(max_length=16, choices=Effect.choices)
    via = models.CharField(max_length=160, blank=True)
    columns = models.JSONField(default=list)
    rows = models.BigIntegerField(default=0)
    conflicts = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("part")
        verbose_name_plural = _("parts")
        ordering = ["part"]
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "change", "part"], name="changes_changepart_number"),
            TenantKey(name="changes_changepart_tenant_key"),
            *_of_change("changes_changepart"),
        ]

    def __str__(self) -> str:
        return f"{self.entity} ({self.effect})"


class FrozenRow(models.Model):
    """One approved row. `position` is its integer key, or its place in key order where keys are not integers.

    `token` is the row's xmin when it was frozen: any update changes it. A revert carries the history
    ids of the version to bring back and of the version it must still be.
    """

    declared_open = "the freeze of a change takes its own rows out again; a trigger refuses once it is frozen."

    pk = models.CompositePrimaryKey("tenant_id", "change_id", "part", "position")
    change_id = models.BigIntegerField()
    position = models.BigIntegerField()
    before_id = models.BigIntegerField(null=True)
    after_id = models.BigIntegerField(null=True)
    tenant_id = models.IntegerField()
    token = XidField()
    part = models.SmallIntegerField()
    key = models.JSONField(null=True)

    class Meta:
        verbose_name = _("frozen row")
        verbose_name_plural = _("frozen rows")
        constraints = [TenantPolicy(name="changes_frozenrow_tenant_policy")]

    def __str__(self) -> str:
        return str(self.position)


class ImportRow(models.Model):
    """One line of an imported file. `values` are texts in the order of its columns, as PostgreSQL reads them.

    From the freeze on `part` and `position` name the frozen row, whose `before_id` names the line; before, `position` and
    `key` the row it was found to be. One index, so that no plan over fresh lines without statistics can take a wrong one.
    """

    declared_open = "an upload that nobody asked for is thrown away; a trigger keeps the lines of a frozen change."

    pk = models.CompositePrimaryKey("tenant_id", "change_id", "line")
    change_id = models.BigIntegerField()
    line = models.BigIntegerField()
    position = models.BigIntegerField(null=True)
    tenant_id = models.IntegerField()
    part = models.SmallIntegerField(null=True)
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    reason = models.CharField(max_length=32, blank=True, choices=SkipReason.choices)
    detail = models.TextField(blank=True)
    values = models.JSONField()
    fresh = models.JSONField(null=True)
    key = models.JSONField(null=True)
    problems = models.JSONField(default=list)

    class Meta:
        verbose_name = _("imported line")
        verbose_name_plural = _("imported lines")
        constraints = [
            models.CheckConstraint(condition=Q(verdict__in=Verdict.values), name="changes_importrow_verdict_known"),
            TenantPolicy(name="changes_importrow_tenant_policy"),
            TenantForeignKey(
                name="changes_importrow_change_tenant_fk",
                column="change_id",
                target="changes_change",
                target_column="id",
            ),
        ]

    def __str__(self) -> str:
        return str(self.line)


class Lane(models.Model):
    """A range of one part that one worker at a time works off. The fence rises with every claim.

    `limit` is the size of its next chunk, 0 while it has no measure; `held_ms` how long the last one held its row
    locks. `waiting` says for what it waits, and nobody claims it before `not_before`.
    """

    app_privileges = KEPT

    class State(models.TextChoices):
        OPEN = "open"
        DONE = "done"
        STOPPED = "stopped"
        FAILED = "failed"

    class Kind(models.TextChoices):
        ROWS = "rows"  # changes the rows of its range
        ARCHIVE = "archive"  # writes them to cold storage first, and changes nothing

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    change = models.ForeignKey(Change, models.CASCADE, related_name="lanes", db_constraint=False)
    part = models.SmallIntegerField()
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.ROWS, db_default=Kind.ROWS)
    step = models.SmallIntegerField()
    lo = models.BigIntegerField()
    hi = models.BigIntegerField()
    cursor = models.BigIntegerField()
    rows = models.BigIntegerField()
    applied = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0)
    chunks = models.IntegerField(default=0)
    limit = models.IntegerField(default=0)
    attempts = models.SmallIntegerField(default=0)
    fence = models.BigIntegerField(default=0)
    worker = models.TextField(blank=True)
    heartbeat_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)
    error = models.TextField(blank=True)
    canary = models.BooleanField(default=False, db_default=False)
    taken_back = models.BigIntegerField(default=0, db_default=0)
    held_ms = models.IntegerField(default=0, db_default=0)
    waiting = models.JSONField(null=True)
    waiting_since = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("lane")
        verbose_name_plural = _("lanes")
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "change", "part", "kind", "lo"], name="changes_lane_range"),
            models.CheckConstraint(
                condition=Q(applied__gte=0, skipped__gte=0) & Q(rows__gte=models.F("applied") + models.F("skipped")),
                name="changes_lane_counts",
            ),
            TenantKey(name="changes_lane_tenant_key"),
            *_of_change("changes_lane"),
        ]

    def __str__(self) -> str:
        return f"{self.change_id}/{self.part}"


class SkippedRow(models.Model):
    """A row the change left alone, and why. Rows in conflict are listed before anything happens."""

    app_privileges = KEPT

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    change = models.ForeignKey(Change, models.CASCADE, related_name="skipped_rows", db_constraint=False)
    part = models.SmallIntegerField()
    position = models.BigIntegerField()
    key = models.JSONField(null=True)
    reason = models.CharField(max_length=32, choices=SkipReason.choices)
    detail = models.TextField(blank=True)

    class Meta:
        verbose_name = _("row left alone")
        verbose_name_plural = _("rows left alone")
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "change", "part", "position"], name="changes_skippedrow_once"),
            TenantKey(name="changes_skippedrow_tenant_key"),
            *_of_change("changes_skippedrow"),
        ]

    def __str__(self) -> str:
        return f"{self.position}: {self.reason}"


class PreflightRun(models.Model):
    """One run of the checks: what each of them found, when, and for whose step. Nobody rewrites it."""

    app_privileges = frozenset({"SELECT", "INSERT"})

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    change = models.ForeignKey(Change, models.PROTECT, related_name="preflight_runs", db_constraint=False)
    moment = models.CharField(max_length=16)
    made_at = models.DateTimeField(_("time"), db_default=Now())
    person_id = models.BigIntegerField(null=True)
    name = models.TextField(_("who"))
    findings = models.JSONField(default=list)
    blocked = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("run of the checks")
        verbose_name_plural = _("runs of the checks")
        indexes = [models.Index(fields=["tenant_id", "change", "id"], name="changes_preflightrun_change")]
        constraints = [TenantKey(name="changes_preflightrun_tenant_key"), *_of_change("changes_preflightrun")]

    def __str__(self) -> str:
        return f"{self.change_id}: {self.moment}"


class Heartbeat(models.Model):
    """When a kind of worker last answered."""

    app_privileges = KEPT

    name = models.CharField(primary_key=True, max_length=40)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")

    def __str__(self) -> str:
        return self.name


__all__ = [
    "Change",
    "ChangePart",
    "FrozenRow",
    "Heartbeat",
    "HeldRow",
    "Hold",
    "ImportRow",
    "Lane",
    "PreflightRun",
    "SkippedRow",
]
