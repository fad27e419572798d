"""What clients send, member by member."""

from __future__ import annotations

from rest_framework import serializers

from approvals.models import Vote
from changes.states import Operation
from console.api.fields import Body, Selected, Text, Values

ASKABLE = (Operation.DELETE, Operation.RESTORE, Operation.PURGE)
SELECTION_HELP = (
    "Either `where` (a list of conditions, all must hold) and `any` (a list of such lists, one must hold), or `keys`. "
    'A condition is `{"field": …, "op": …, "value": …}`; the entity\'s page lists fields and comparisons.'
)


class ChangeRequest(Body):
    entity = Text(max_length=160, help_text="`app.model`")
    operation = Text(max_length=16, help_text=" or ".join(f"`{one}`" for one in ASKABLE))
    selection = Selected(help_text=SELECTION_HELP)
    reason = Text(required=False, default="", max_length=4000, help_text="Why, in at least 10 characters.")
    title = Text(required=False, default="", max_length=200)
    cascade_also = serializers.ListField(
        child=Text(max_length=200),
        required=False,
        default=list,
        max_length=50,
        help_text="Protecting relations (`app.model.field`) whose rows go along.",
    )


class PreviewRequest(Body):
    entity = Text(max_length=160)
    operation = Text(max_length=16)
    selection = Selected(help_text=SELECTION_HELP)
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
