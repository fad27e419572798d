"""An uploaded file and its lines, as they go out."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from changes.states import State, Verdict
from console.api.serializers import Shown


class FieldDiffShown(Shown):
    field = serializers.CharField(source="name")
    before = serializers.CharField(allow_null=True, help_text="What the row holds now.")
    after = serializers.CharField(allow_null=True)
    hidden = serializers.BooleanField(help_text="A sensitive field, whose values you may not see.")


class LineProblemShown(Shown):
    column = serializers.CharField()
    value = serializers.CharField(allow_null=True)
    message = serializers.CharField(help_text="What is wrong, and the way out.")


class ImportLineShown(Shown):
    line = serializers.IntegerField(help_text="Line of the file; the header is line 1.")
    verdict = serializers.ChoiceField(Verdict.choices)
    key = serializers.CharField(help_text="The row it is about; empty for a new one.")
    reason = serializers.CharField(help_text="Why it is in conflict.")
    detail = serializers.CharField()
    fields_ = FieldDiffShown(many=True)
    problems = LineProblemShown(many=True)

    def get_fields(self) -> dict[str, Any]:
        """`fields` is a name DRF keeps for itself."""
        own = super().get_fields()
        return {("fields" if name == "fields_" else name): field for name, field in own.items()}


class ImportCountsShown(Shown):
    new = serializers.IntegerField()
    changed = serializers.IntegerField()
    same = serializers.IntegerField()
    conflict = serializers.IntegerField()
    wrong = serializers.IntegerField()


class ImportShown(Shown):
    """A file that was sent: a draft until somebody asks for it under `changes/`."""

    id = serializers.IntegerField()
    entity = serializers.CharField()
    state = serializers.ChoiceField(State.choices)
    name = serializers.CharField()
    separator = serializers.CharField(trim_whitespace=False)
    columns = serializers.ListField(child=serializers.CharField())
    match = serializers.ListField(child=serializers.CharField(), help_text="Fields that find a row; none: all new.")
    counts = ImportCountsShown()
    approvals = serializers.IntegerField(help_text="Other persons that must agree.")
    wrong = ImportLineShown(many=True, help_text="The first hundred; `counts.wrong` counts all.")
    links = serializers.DictField(child=serializers.CharField())
