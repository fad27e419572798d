"""What clients send, member by member."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from approvals.models import Vote
from changes.operations import REGISTRY
from changes.states import Operation
from console.api.fields import Body, Selected, Text, Values

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


class VoteRequest(Body):
    decision = Text(max_length=16, help_text=" or ".join(f"`{one}`" for one in Vote.Decision.values))
    digest = Text(max_length=64, help_text="The ticket's `digest` as you saw it.")
    reason = Text(required=False, default="", max_length=4000, help_text="Needed for a rejection.")


class WithdrawRequest(Body):
    reason = Text(required=False, default="", max_length=4000)


class RowRequest(Body):
    values = Values(help_text="Column values by field name.")
    reason = Text(required=False, default="", max_length=4000, help_text="Kept in the history.")


class TokenRequest(Body):
    username = Text(max_length=150)
    password = Text(max_length=4096, trim_whitespace=False)
