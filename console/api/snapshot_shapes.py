"""What the API takes and shows of snapshots and comparisons."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from audit.models import Snapshot, SnapshotTable
from console.api.fields import Body, Text
from console.api.serializers import DifferenceShown, Shown


class SnapshotRequest(Body):
    name = Text(max_length=120, help_text="Not used by another snapshot of this tenant.")
    entities = serializers.ListField(child=Text(max_length=160), max_length=200, help_text="`app.model` of each table.")
    note = Text(required=False, default="", max_length=4000)
    kept_until = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="null: for good. Otherwise a day away at least."
    )


class KeepRequest(Body):
    kept_until = serializers.DateTimeField(required=False, allow_null=True, help_text="null: for good.")
    hold = serializers.BooleanField(required=False, help_text="Held snapshots stay beyond that time.")


class SnapshotShown(Shown):
    """A snapshot in a list."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(Snapshot.Kind.choices)
    taken_at = serializers.DateTimeField()
    taken_by = serializers.CharField(source="taken_by_name")
    era = serializers.IntegerField(help_text="Which cluster's life it belongs to.")
    change = serializers.IntegerField(source="change_id", allow_null=True)
    note = serializers.CharField()
    kept_until = serializers.DateTimeField(allow_null=True)
    hold = serializers.BooleanField()
    entities = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_entities(self, snapshot: Snapshot) -> list[str]:
        return [part.entity for part in snapshot.tables.all()]


class ColumnShown(Shown):
    name = serializers.CharField()
    type = serializers.CharField()


class SnapshotTableShown(Shown):
    entity = serializers.CharField()
    rows = serializers.IntegerField(allow_null=True, help_text="null: not measured yet. Deleted rows included.")
    live_rows = serializers.IntegerField(allow_null=True)
    checksum = serializers.CharField()
    measured_at = serializers.DateTimeField(allow_null=True)
    schema_fingerprint = serializers.CharField()
    columns = serializers.SerializerMethodField()

    @extend_schema_field(ColumnShown(many=True))
    def get_columns(self, part: SnapshotTable) -> list[dict[str, str]]:
        return [{"name": name, "type": kind} for name, kind in part.columns]


class SnapshotWhole(SnapshotShown):
    """A snapshot on its own, with its tables."""

    tables = SnapshotTableShown(many=True, source="tables.all")
    pg_snapshot = serializers.CharField()
    system_identifier = serializers.CharField()


class MomentShown(Shown):
    at = serializers.DateTimeField(help_text="The moment that is really answered: the last one recorded before it.")
    era = serializers.IntegerField()


class TotalsShown(Shown):
    a = serializers.DateTimeField(allow_null=True, help_text="When the state really was; null: now.")
    b = serializers.DateTimeField(allow_null=True)
    only_a = serializers.IntegerField()
    only_b = serializers.IntegerField()
    changed = serializers.IntegerField()
    changed_fields = serializers.DictField(child=serializers.IntegerField(), help_text="Changed rows per field.")


class RowDifferenceShown(Shown):
    key = serializers.CharField()
    kind = serializers.ChoiceField(["only_a", "only_b", "changed"])
    changed_fields = serializers.ListField(child=serializers.CharField())
    differences: Any = DifferenceShown(many=True, help_text="before: in a, after: in b.")


class PastRowShown(Shown):
    key = serializers.CharField()
    version = serializers.IntegerField(help_text="Number of the version in the row's history.")
    deleted = serializers.BooleanField()
    values: Any = serializers.DictField(child=serializers.JSONField())
