"""What clients send, member by member."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from approvals.models import Vote
from changes.conflicts import RULES
from changes.operations import REGISTRY
from changes.states import Operation
from console.api.fields import Body, Flag, Numbers, Options, Selected, Text, Values

# Undo has an address of its own, because it needs no selection but a change.
ASKABLE = (*(kind.name for kind in REGISTRY.values() if kind.needs_selection), Operation.IMPORT.value)
SELECTION_HELP = (
    "Either `where` (a list of conditions, all must hold) and `any` (a list of such lists, one must hold), or `keys`. "
    'A condition is `{"field": …, "op": …, "value": …}`; the entity\'s page lists fields and comparisons.'
)

OPTIONS_HELP = (
    'What the operation takes besides. `update`: `{"set": {field: value}, "including": [sensitive fields]}`; `import`: '
    '`{"import": id, "leave_out": false}` and no selection; others take none.'
)


class ChangeRequest(Body):
    entity = Text(max_length=160, help_text="`app.model`")
    operation = Text(max_length=16, help_text=" or ".join(f"`{one}`" for one in ASKABLE))
    selection = Selected(help_text=SELECTION_HELP + " An import takes `{}`, or none.")
    options = Selected(required=False, allow_null=True, default=None, help_text=OPTIONS_HELP)
    reason = Text(required=False, default="", max_length=4000, help_text="Why, in at least 10 characters.")
    title = Text(required=False, default="", max_length=200)
    cascade_also = serializers.ListField(
        child=Text(max_length=200),
        required=False,
        default=list,
        max_length=50,
        help_text="Protecting relations (`app.model.field`) whose rows go along.",
    )

    window = Selected(
        required=False,
        default=None,
        allow_null=True,
        help_text="When it may run: `days` (mon … sun), `from`, `to`, `zone`; or `not_before`, `not_after`; or both.",
    )
    canary = Selected(
        required=False,
        default=None,
        allow_null=True,
        help_text="A trial first: `percent` (1), `watch_s` (60), `on_trouble` (`go_on`, `pause`, `take_back`).",
    )

    def to_internal_value(self, data: Any) -> Any:
        """The file of an import says what is meant; a selection need not be sent."""
        if isinstance(data, dict) and data.get("operation") == Operation.IMPORT:
            data = {"selection": {}, **data}
        return super().to_internal_value(data)


class PreviewRequest(Body):
    entity = Text(max_length=160)
    operation = Text(max_length=16)
    selection = Selected(help_text=SELECTION_HELP)
    options = Selected(required=False, allow_null=True, default=None, help_text=OPTIONS_HELP)
    cascade_also = serializers.ListField(child=Text(max_length=200), required=False, default=list, max_length=50)


class ReasonRequest(Body):
    reason = Text(required=False, default="", max_length=4000, help_text="Why, in at least 10 characters.")


class TuneRequest(Body):
    chunk_rows = serializers.IntegerField(
        required=False, default=None, allow_null=True, help_text="Most rows of a chunk; null for the usual."
    )
    rows_per_second = serializers.IntegerField(
        required=False, default=None, allow_null=True, help_text="Of all workers together; null for as fast as it goes."
    )


class RetryRequest(ReasonRequest):
    reasons = serializers.ListField(
        child=Text(max_length=32),
        required=False,
        default=list,
        max_length=20,
        help_text="Rows left alone for these reasons; `error` when none is named.",
    )


UNDO_OPTIONS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "conflicts": {
            "type": "object",
            "description": "A rule per class of conflict; classes left out are skipped.",
            "additionalProperties": False,
            "properties": {name: {"type": "string", "enum": list(rules)} for name, rules in RULES.items()},
        },
        "only": {
            "type": "object",
            "description": "A part: chosen rows and chosen fields, per table. Without it everything is meant.",
            "additionalProperties": False,
            "properties": {
                "rows": {"type": "object", "additionalProperties": {"type": "object", "description": SELECTION_HELP}},
                "fields": {
                    "type": "object",
                    "additionalProperties": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
    },
}


@extend_schema_field(UNDO_OPTIONS)
class UndoOptions(Options):
    """Rules for conflicts, and which part."""


class UndoPreviewRequest(Body):
    options = UndoOptions(required=False, default=dict)


class UndoRequest(UndoPreviewRequest):
    reason = Text(required=False, default="", max_length=4000, help_text="Why, in at least 10 characters.")


ROLLBACK_OPTIONS = {
    **UNDO_OPTIONS,
    "properties": {
        "entities": {
            "type": "array",
            "description": "Tables that go back (`app.model`); without it every table of the snapshot.",
            "items": {"type": "string"},
            "minItems": 1,
        },
        **UNDO_OPTIONS["properties"],
    },
}


@extend_schema_field(ROLLBACK_OPTIONS)
class RollbackOptions(Options):
    """Which tables, rules for conflicts, and which part."""


class RollbackPreviewRequest(Body):
    options = RollbackOptions(required=False, default=dict)


class RollbackRequest(RollbackPreviewRequest):
    reason = Text(required=False, default="", max_length=4000, help_text="Why, in at least 10 characters.")
    title = Text(required=False, default="", max_length=200)


class EventsUndoPreviewRequest(UndoPreviewRequest):
    events = Numbers(help_text="Ids of events of statements that no change made.")
    transaction = Flag(required=False, default=False, help_text="Everything that their transactions did.")


class EventsUndoRequest(EventsUndoPreviewRequest):
    reason = Text(required=False, default="", max_length=4000, help_text="Why, in at least 10 characters.")
    title = Text(required=False, default="", max_length=200)


class VoteRequest(Body):
    decision = Text(max_length=16, help_text=" or ".join(f"`{one}`" for one in Vote.Decision.values))
    digest = Text(max_length=64, help_text="The ticket's `digest` as you saw it.")
    reason = Text(required=False, default="", max_length=4000, help_text="Needed for a rejection.")


class SendBackRequest(Body):
    digest = Text(max_length=64, help_text="The ticket's `digest` as you saw it.")
    reason = Text(required=False, default="", max_length=4000, help_text="What has to change.")


class AskAgainRequest(Body):
    reason = Text(max_length=4000, help_text="Why, in at least 10 characters.")
    title = Text(required=False, default="", max_length=200)
    selection = Selected(required=False, default=None, allow_null=True, help_text=SELECTION_HELP)
    options = Selected(required=False, default=None, allow_null=True, help_text=OPTIONS_HELP)
    cascade_also = serializers.ListField(child=Text(max_length=200), required=False, default=list, max_length=50)
    window = Selected(required=False, default=None, allow_null=True, help_text="null takes it away.")
    canary = Selected(required=False, default=None, allow_null=True, help_text="null takes it away.")


class CommentRequest(Body):
    text = Text(max_length=4000, help_text="`@username` tells that person.")


class ExemptionRequest(Body):
    entity = Text(max_length=160, help_text="`app.model`")
    role = Text(max_length=63, help_text="A login of the database that is neither the console's nor the owner's.")
    transaction_rows = serializers.IntegerField(min_value=1, max_value=2**63 - 1, help_text="Rows per transaction.")
    window_rows = serializers.IntegerField(min_value=1, max_value=2**63 - 1, help_text="Rows within ten minutes.")
    reason = Text(max_length=4000, help_text="Why, in at least 10 characters.")
    expires_at = serializers.DateTimeField(help_text="Within a year.")


class RulesRequest(Body):
    rules = serializers.JSONField(help_text="A list of rules, see docs/rules.md.")


class AmendmentRequest(Body):
    kind = Text(max_length=40, help_text="`rules`, `role`, `group` or `person`.")
    payload = serializers.DictField(
        help_text="`rules`: `{rules: […]}` · `role`: `{user, group, holds}` · `group`: `{name}` · "
        "`person`: `{user, person}` or `{user, name}`."
    )
    reason = Text(max_length=4000, help_text="Why, in at least 10 characters.")


class AmendmentAnswer(Body):
    answer = Text(required=False, default="", max_length=4000, help_text="Of a refusal: at least 10 characters.")


class WithdrawRequest(Body):
    reason = Text(required=False, default="", max_length=4000)


class RowRequest(Body):
    values = Values(help_text="Column values by field name.")
    reason = Text(required=False, default="", max_length=4000, help_text="Kept in the history.")


class TokenRequest(Body):
    username = Text(max_length=150)
    password = Text(max_length=4096, trim_whitespace=False)
    code = Text(
        required=False,
        default="",
        max_length=20,
        help_text="Where a second factor is set up: of the app, or a recovery code.",
    )


class ReadRequest(Body):
    up_to = serializers.IntegerField(min_value=1, max_value=2**63 - 1, help_text="The newest notice you have seen.")


class PreferenceRequest(Body):
    ways = serializers.DictField(
        child=serializers.ListField(child=Text(max_length=16), max_length=3),
        help_text="Per kind: `app`, `email`, `chat`. A kind that is missing goes its usual ways.",
    )
    language = Text(required=False, default="", max_length=16)
    chat_address = Text(
        required=False,
        default=None,
        allow_null=True,
        max_length=500,
        help_text="An address of Apprise. Without it the present one stays; empty: none.",
    )
    quiet_from = Text(required=False, default="", max_length=8, help_text="Such as `22:00`.")
    quiet_to = Text(required=False, default="", max_length=8)
    zone = Text(required=False, default="UTC", max_length=64)


class ReceiverRequest(Body):
    channel = Text(max_length=16, help_text="`webhook` or `chat`.")
    name = Text(max_length=80)
    address = Text(max_length=500, help_text="Kept sealed; no answer holds it.")
    kinds = serializers.ListField(
        child=Text(max_length=24), required=False, default=list, max_length=30, help_text="Empty: everything."
    )
