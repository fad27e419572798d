"""Rules and amendments as they go out."""

from __future__ import annotations

from rest_framework import serializers

from approvals.models import Amendment
from console.api.serializers import Shown


class RulesShown(Shown):
    """The rules of a tenant; of two that fit the first decides."""

    version = serializers.IntegerField(help_text="0: the shipped ones.")
    rules = serializers.JSONField()


class DifferenceShown(Shown):
    """A change of the past that the proposed rules would have asked other people for."""

    change = serializers.IntegerField()
    title = serializers.CharField()
    operation = serializers.CharField()
    entity = serializers.CharField()
    rows = serializers.IntegerField()
    before = serializers.JSONField()
    after = serializers.JSONField()


class PastShown(Shown):
    """Proposed rules, tried on the changes of the last ninety days."""

    days = serializers.IntegerField()
    changes = serializers.IntegerField(help_text="Looked at: the newest 10,000.")
    more = serializers.IntegerField(help_text="Would have asked more people.")
    fewer = serializers.IntegerField(help_text="Would have asked fewer people.")
    others = serializers.IntegerField(help_text="Would have asked as many, but others.")
    sample = DifferenceShown(many=True)


class AmendmentShown(Shown):
    """A change of who may what: proposed by one person, agreed to by another."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(Amendment.Kind.values)
    payload = serializers.JSONField(help_text="What it says, as it was read.")
    evidence = serializers.JSONField(help_text="Of rules: what they would have asked of the past.")
    reason = serializers.CharField()
    state = serializers.ChoiceField(Amendment.State.values)
    author = serializers.CharField(source="author_name")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    decided_by = serializers.CharField(source="decided_name")
    answer = serializers.CharField()
