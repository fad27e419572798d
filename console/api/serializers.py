"""What the API shows of changes, tickets and the record. Plain fields, no query per row."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from approvals.models import Ticket, Vote
from audit.models import Event
from changes import clock
from changes.models import Change
from changes.operations import REGISTRY
from changes.states import Canary, Effect, Held, Operation, SkipReason, State

Shown = serializers.Serializer[Any]


class KeyReportShown(Shown):
    given = serializers.IntegerField()
    found = serializers.IntegerField()
    unknown = serializers.IntegerField(help_text="Keys that name no row of this tenant.")
    repeated = serializers.IntegerField()
    unknown_sample = serializers.ListField(child=serializers.CharField())


class FindingShown(Shown):
    check = serializers.CharField()
    level = serializers.ChoiceField(["pass", "warn", "block"])
    code = serializers.CharField()
    facts = serializers.DictField()


class ChangeShown(Shown):
    """A change in a list."""

    id = serializers.IntegerField()
    operation = serializers.ChoiceField(Operation.choices)
    entity = serializers.CharField()
    title = serializers.CharField()
    reason = serializers.CharField()
    state = serializers.ChoiceField(State.choices)
    digest = serializers.CharField()
    selection_text = serializers.CharField()
    rows_selected = serializers.IntegerField()
    rows_total = serializers.IntegerField()
    applied = serializers.IntegerField()
    skipped = serializers.IntegerField()
    requested_by = serializers.IntegerField(source="requested_by_id", allow_null=True)
    requester = serializers.CharField(source="requester_name")
    channel = serializers.CharField()
    ticket = serializers.SerializerMethodField()
    undo_of = serializers.IntegerField(source="undo_of_id", allow_null=True)
    retry_of = serializers.IntegerField(source="retry_of_id", allow_null=True)
    created_at = serializers.DateTimeField()
    frozen_at = serializers.DateTimeField(allow_null=True)
    cleared_at = serializers.DateTimeField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    started_by = serializers.CharField()
    finished_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_ticket(self, change: Change) -> int | None:
        try:
            return int(change.ticket.pk)
        except ObjectDoesNotExist:
            return None


class PartShown(Shown):
    part = serializers.IntegerField()
    entity = serializers.CharField()
    effect = serializers.ChoiceField(Effect.choices)
    rows = serializers.IntegerField()
    applied = serializers.IntegerField()
    skipped = serializers.IntegerField()


class WaitingShown(Shown):
    signal = serializers.CharField()
    value = serializers.FloatField(allow_null=True, help_text="In the signal's own unit.")
    limit = serializers.FloatField(allow_null=True)
    since = serializers.DateTimeField()


class ProgressShown(Shown):
    total = serializers.IntegerField()
    done = serializers.IntegerField()
    applied = serializers.IntegerField()
    skipped = serializers.IntegerField()
    percent = serializers.IntegerField()
    rate = serializers.FloatField(allow_null=True, help_text="Rows per second, over the last minutes.")
    eta_s = serializers.FloatField(allow_null=True)
    error = serializers.CharField()
    parts = PartShown(many=True)
    waiting = WaitingShown(many=True, help_text="Signals it waits for.")


class ChangeWhole(ChangeShown):
    """A change on its own, with parts and progress."""

    selection = serializers.JSONField(read_only=True)
    cascade_also = serializers.SerializerMethodField()
    options = serializers.SerializerMethodField(help_text="Rules, part and source of an undo.")
    words = serializers.SerializerMethodField(help_text="What the options of the operation mean, phrase by phrase.")
    preflight = FindingShown(many=True)
    keys = serializers.SerializerMethodField(help_text="What became of a list of keys.")
    progress = ProgressShown()
    verification = serializers.JSONField()
    error = serializers.CharField()
    held = serializers.ChoiceField(Held.choices, allow_blank=True, help_text="Why it is paused.")
    held_facts = serializers.JSONField()
    window = serializers.SerializerMethodField()
    opens_at = serializers.SerializerMethodField(help_text="When its window opens next, while it is not open.")
    canary = serializers.ChoiceField(Canary.choices, allow_blank=True, help_text="How far its trial is.")
    canary_until = serializers.DateTimeField(allow_null=True)
    chunk_rows = serializers.IntegerField(allow_null=True)
    rows_per_second = serializers.IntegerField(allow_null=True)
    drift = serializers.JSONField(help_text="As measured at the latest start.")
    links = serializers.DictField(child=serializers.CharField(allow_null=True))

    @extend_schema_field({"type": "object", "nullable": True})
    def get_window(self, change: Change) -> dict[str, Any] | None:
        return change.options.get("window")

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_opens_at(self, change: Change) -> str | None:
        opens = None if clock.is_open(change) else clock.opens_at(change)
        return opens.isoformat() if opens else None

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_cascade_also(self, change: Change) -> list[str]:
        return list(change.options.get("cascade_also", ()))

    @extend_schema_field({"type": "object", "additionalProperties": {}})
    def get_options(self, change: Change) -> dict[str, Any]:
        return {name: value for name, value in change.options.items() if name != "cascade_also"}

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_words(self, change: Change) -> list[str]:
        return list(REGISTRY[change.operation].in_words(change))

    @extend_schema_field(KeyReportShown(allow_null=True))
    def get_keys(self, change: Change) -> dict[str, Any] | None:
        return next((one["facts"] for one in change.preflight if one["code"] == "keys"), None)


class PlannedPartShown(Shown):
    entity = serializers.CharField()
    effect = serializers.ChoiceField(Effect.choices)
    rows = serializers.IntegerField()
    via = serializers.CharField()


class PreviewShown(Shown):
    rows_selected = serializers.IntegerField()
    rows_total = serializers.IntegerField()
    blocked = serializers.BooleanField()
    parts = PlannedPartShown(many=True)
    findings = FindingShown(many=True)
    keys = KeyReportShown(allow_null=True)


class FrozenRowShown(Shown):
    part = serializers.IntegerField()
    entity = serializers.CharField()
    effect = serializers.ChoiceField(Effect.choices)
    key = serializers.CharField()


class SkippedRowShown(Shown):
    part = serializers.IntegerField()
    entity = serializers.CharField()
    key = serializers.CharField()
    reason = serializers.ChoiceField(SkipReason.choices)
    detail = serializers.CharField()


class NewChildrenShown(Shown):
    entity = serializers.CharField()
    rows = serializers.IntegerField()


class DriftSampleShown(Shown):
    entity = serializers.CharField()
    position = serializers.IntegerField()
    key = serializers.CharField()
    kind = serializers.ChoiceField(["changed", "gone", "recreated"])


class DriftShown(Shown):
    rows = serializers.IntegerField(help_text="Frozen rows that are not as they were; they are left alone.")
    changed = serializers.IntegerField()
    gone = serializers.IntegerField()
    recreated = serializers.IntegerField(help_text="Removed and added again, perhaps with the same values.")
    limit = serializers.IntegerField(help_text="More than this many, and it does not start.")
    sample = DriftSampleShown(many=True)
    new_dependants = NewChildrenShown(many=True, help_text="Rows added since; while there are any it cannot start.")


class TicketShown(Shown):
    """A ticket in a list."""

    id = serializers.IntegerField()
    title = serializers.CharField()
    state = serializers.ChoiceField(Ticket.State.choices)
    change = serializers.IntegerField(source="change_id")
    entity = serializers.CharField(source="change.entity")
    operation = serializers.ChoiceField(Operation.choices, source="change.operation")
    rows_total = serializers.IntegerField(source="change.rows_total")
    required = serializers.IntegerField(help_text="Approvals needed.")  # type: ignore[assignment]
    approvals = serializers.SerializerMethodField()
    digest = serializers.CharField()
    round = serializers.IntegerField(help_text="Votes of earlier rounds count for nothing.")
    requester = serializers.CharField(source="requester_name")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)

    def get_approvals(self, ticket: Ticket) -> int:
        return sum(v.round == ticket.round and v.decision == Vote.Decision.APPROVE for v in ticket.votes.all())


class VoteShown(Shown):
    who = serializers.CharField(source="name")
    user = serializers.IntegerField(source="user_id")
    decision = serializers.ChoiceField(Vote.Decision.choices)
    reason = serializers.CharField()
    digest = serializers.CharField()
    round = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class TicketWhole(TicketShown):
    """A ticket on its own, with its votes and the rule that asked for it."""

    reason = serializers.CharField(source="change.reason")
    selection_text = serializers.CharField(source="change.selection_text")
    rule = serializers.DictField()
    votes = VoteShown(many=True, source="votes.all")
    preflight = FindingShown(many=True, source="change.preflight")
    links = serializers.DictField(child=serializers.CharField())


class EventShown(Shown):
    id = serializers.IntegerField()
    event_id = serializers.UUIDField()
    at = serializers.DateTimeField(source="occurred_at")
    entity = serializers.CharField()
    operation = serializers.ChoiceField(Event.Operation.choices)
    action = serializers.CharField()
    rows = serializers.IntegerField(source="affected_rows")
    operator = serializers.IntegerField(source="operator_id", allow_null=True)
    operator_name = serializers.CharField()
    change = serializers.IntegerField(source="change_id", allow_null=True)
    channel = serializers.CharField()
    reason = serializers.CharField()
    ip = serializers.CharField(allow_null=True)
    trace_id = serializers.CharField()
    request_id = serializers.CharField()
    decision_id = serializers.UUIDField(allow_null=True)
    facts = serializers.JSONField()


class DifferenceShown(Shown):
    field = serializers.CharField()
    before = serializers.JSONField()
    after = serializers.JSONField()


class VersionShown(Shown):
    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    type = serializers.ChoiceField([("+", "added"), ("~", "changed"), ("-", "removed")])
    operator = serializers.IntegerField(allow_null=True)
    operator_name = serializers.CharField(allow_null=True)
    channel = serializers.CharField(allow_null=True)
    action = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_null=True)
    change = serializers.IntegerField(allow_null=True)
    event = serializers.IntegerField(allow_null=True)
    differences = DifferenceShown(many=True, help_text="Against the version before; all fields of the first one.")


class FieldShown(Shown):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    type = serializers.CharField()
    null = serializers.BooleanField()
    writable = serializers.BooleanField()
    references = serializers.CharField(allow_null=True, help_text="The table a relation points to.")
    choices = serializers.ListField(child=serializers.JSONField(), allow_null=True)
    lookups = serializers.ListField(child=serializers.CharField(), help_text="Comparisons; empty: cannot be compared.")


class EntityShown(Shown):
    entity = serializers.CharField(help_text="`app.model`")
    label = serializers.CharField()  # type: ignore[assignment]
    threshold = serializers.IntegerField(help_text="Rows above which a change needs approval.")
    url = serializers.CharField()


class EntityWhole(EntityShown):
    key = serializers.ListField(child=serializers.CharField())
    fields_ = FieldShown(many=True)
    relations = serializers.ListField(child=serializers.DictField())

    def get_fields(self) -> dict[str, Any]:
        """`fields` is a name DRF keeps for itself."""
        own = super().get_fields()
        return {("fields" if name == "fields_" else name): field for name, field in own.items()}


class RowShown(Shown):
    key = serializers.CharField(help_text="As in addresses: parts joined by commas, each percent-encoded.")
    url = serializers.CharField()
    deleted = serializers.BooleanField()
    values = serializers.DictField(child=serializers.JSONField())


class MeShown(Shown):
    user = serializers.IntegerField()
    name = serializers.CharField()
    person = serializers.IntegerField(allow_null=True)
    tenant = serializers.IntegerField(allow_null=True)
    roles = serializers.ListField(child=serializers.CharField())
    may = serializers.ListField(child=serializers.CharField(), help_text="Actions the roles allow.")
    waiting_for_me = serializers.IntegerField(help_text="Tickets this person can decide now.")


class TokenShown(Shown):
    token = serializers.CharField(help_text="Send it as `Authorization: Token …`.")


class ProblemPlace(Shown):
    field = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class ProblemShown(Shown):
    """RFC 9457. `code` is stable; `detail` is a translated sentence."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    field = serializers.CharField(required=False)
    errors = ProblemPlace(many=True, required=False)  # type: ignore[assignment]
    facts = serializers.DictField(required=False)
    request_id = serializers.CharField(required=False)
