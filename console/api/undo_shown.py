"""What an undo would do, as it goes out."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from changes.states import Effect, SkipReason
from console.api.serializers import Shown


class UndoPartShown(Shown):
    entity = serializers.CharField()
    effect = serializers.ChoiceField(Effect.choices)
    rows = serializers.IntegerField()
    conflicts = serializers.IntegerField()


class ConflictClassShown(Shown):
    entity = serializers.CharField()
    reason = serializers.ChoiceField(SkipReason.choices)
    rows = serializers.IntegerField()
    rules = serializers.ListField(child=serializers.CharField(), help_text="Rules that this class can be given.")


class UndoScopeShown(Shown):
    entity = serializers.CharField()
    fields_ = serializers.ListField(
        child=serializers.CharField(), help_text="Fields that can be chosen; none where whole rows came or went."
    )

    def get_fields(self) -> dict[str, Any]:
        """`fields` is a name DRF keeps for itself."""
        own = super().get_fields()
        return {("fields" if name == "fields_" else name): field for name, field in own.items()}


class LostColumnShown(Shown):
    entity = serializers.CharField()
    column = serializers.CharField()


class UndoConflictShown(Shown):
    entity = serializers.CharField()
    key = serializers.CharField()
    reason = serializers.CharField()
    detail = serializers.CharField()


class NoChangeShown(Shown):
    change = serializers.CharField(allow_null=True, help_text="null: everything is as it was then.")


class UndoPreviewShown(Shown):
    rows = serializers.IntegerField()
    approvals = serializers.IntegerField(help_text="Other persons that would have to agree.")
    parts = UndoPartShown(many=True)
    conflicts = serializers.IntegerField()
    classes = ConflictClassShown(many=True, help_text="Every conflict, by table and class.")
    sample = UndoConflictShown(many=True, help_text="The first rows of each class.")
    scope = UndoScopeShown(many=True, help_text="What `only` can choose from.")
    lost = LostColumnShown(many=True, help_text="Columns that are gone: what they held cannot come back.")
