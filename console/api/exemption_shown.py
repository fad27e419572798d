"""An exemption as it goes out."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from console.api.serializers import Shown


class ExemptionShown(Shown):
    """An exemption of a login from the row limits of one table."""

    id = serializers.IntegerField()
    entity = serializers.CharField()
    role = serializers.CharField(help_text="The database login.")
    transaction_rows = serializers.IntegerField()
    window_rows = serializers.IntegerField(help_text="Within ten minutes.")
    reason = serializers.CharField()
    state = serializers.SerializerMethodField()
    expires_at = serializers.DateTimeField()
    asked_at = serializers.DateTimeField()
    asked_by = serializers.CharField(source="asked_name")
    agreed_at = serializers.DateTimeField(allow_null=True)
    agreed_by = serializers.CharField(source="agreed_name")
    withdrawn_at = serializers.DateTimeField(allow_null=True)
    withdrawn_by = serializers.CharField(source="withdrawn_name")

    @extend_schema_field(serializers.ChoiceField(["asked", "in_force", "void"]))
    def get_state(self, exemption: Any) -> str:
        if exemption.withdrawn_at is not None or exemption.expires_at <= exemption.now:
            return "void"
        return "asked" if exemption.agreed_at is None else "in_force"
