"""Fields of request bodies that take exactly what they say, and a body that refuses members it does not know."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


class Text(serializers.CharField):
    """A JSON string; numbers and booleans are refused, not turned into text. May be empty."""

    default_error_messages = {"wrong_type": _("Give a text.")}

    def __init__(self, **options: Any) -> None:
        options.setdefault("allow_blank", True)
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("wrong_type")
        return str(super().to_internal_value(data))


@extend_schema_field({"type": "object", "additionalProperties": {}})
class Selected(serializers.JSONField):
    """A selection as it was sent; the engine reads it."""


class Options(serializers.JSONField):
    """A JSON object that the engine reads, and names the place of what it cannot."""

    default_error_messages = {"no_object": _("Give an object.")}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            self.fail("no_object")
        return super().to_internal_value(data)


@extend_schema_field({"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": 1000})
class Numbers(serializers.JSONField):
    """A list of numbers; the engine checks it."""


@extend_schema_field({"type": "boolean"})
class Flag(serializers.Field[Any, Any, Any, Any]):
    """true or false, and nothing that merely looks like it; the engine checks it."""

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class Body(serializers.Serializer[Any]):
    """A JSON object whose members are all known."""

    default_error_messages = {"unknown_member": _("Unknown. Members: %(known)s.")}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = sorted(set(map(str, data)) - set(self.fields))
            if unknown:
                message = self.error_messages["unknown_member"] % {"known": ", ".join(self.fields)}
                raise serializers.ValidationError({name[:60]: [message] for name in unknown[:20]}, "unknown_member")
        return super().to_internal_value(data)


class Values(serializers.DictField):
    """Column values by field name."""

    child = serializers.JSONField(allow_null=True)


def read(body: type[Body], data: Any) -> dict[str, Any]:
    """The checked body. Raises DRF's ValidationError, which becomes `invalid_fields`."""
    reader = body(data=data)
    reader.is_valid(raise_exception=True)
    checked: dict[str, Any] = reader.validated_data
    return checked
