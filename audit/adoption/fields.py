"""Fields for column types that Django does not know, or would not handle as the database does."""

from __future__ import annotations

import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.utils import timezone
from psycopg.types.json import Json


class TypeField(models.Field):  # type: ignore[type-arg]
    """A column of any database type; values travel as PostgreSQL's own text."""

    description = "Database type"

    def __init__(self, kind: str, **options: Any) -> None:
        self.kind = kind
        super().__init__(**options)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, [self.kind, *args], kwargs

    def db_type(self, connection: Any) -> str:
        return self.kind

    def to_python(self, value: Any) -> Any:
        return value


class EnumField(models.CharField):  # type: ignore[type-arg]
    """A column of an enum type; `choices` are its labels."""

    def __init__(self, kind: str, **options: Any) -> None:
        self.kind = kind
        super().__init__(**options)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, [self.kind, *args], kwargs

    def db_type(self, connection: Any) -> str:
        return self.kind

    def cast_db_type(self, connection: Any) -> str:
        return self.kind


class NumericField(models.DecimalField):  # type: ignore[type-arg]
    """`numeric` without precision."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "max_digits": 1000, "decimal_places": 500})

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_digits"], kwargs["decimal_places"]
        return name, path, args, kwargs

    def db_type(self, connection: Any) -> str:
        return "numeric"


class LocalDateTimeField(models.DateTimeField):  # type: ignore[type-arg]
    """`timestamp without time zone`: the other program's wall clock, never shifted. Values are naive."""

    def db_type(self, connection: Any) -> str:
        return "timestamp without time zone"

    def cast_db_type(self, connection: Any) -> str:
        return "timestamp without time zone"

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            parsed = datetime.datetime.fromisoformat(value) if _is_iso(value) else super().to_python(value)
            return _naive(parsed)
        if isinstance(value, datetime.datetime):
            return _naive(value)
        if isinstance(value, datetime.date):
            return datetime.datetime(value.year, value.month, value.day)
        return value

    def get_prep_value(self, value: Any) -> Any:
        return self.to_python(models.Field.get_prep_value(self, value))

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return value if prepared else self.get_prep_value(value)


def _is_iso(text: str) -> bool:
    try:
        datetime.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _naive(value: Any) -> Any:
    if isinstance(value, datetime.datetime) and timezone.is_aware(value):
        return timezone.make_naive(value, datetime.UTC)
    return value


class PlainJSONField(models.JSONField):
    """`json`, not `jsonb`: text and key order stay as they are. The driver decodes it already."""

    def db_type(self, connection: Any) -> str:
        return "json"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is None or hasattr(value, "as_sql"):
            return value
        return Json(value)


class TypeArrayField(ArrayField):  # type: ignore[type-arg]
    """An array of an enum or another type of the schema's own, which the driver would hand over as one text."""

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        return f"{sql}::text[]", params


class WrittenByDatabase(models.Field):  # type: ignore[type-arg]
    """The database alone writes the column; the ORM reads it and leaves it out of INSERT and UPDATE."""

    generated = True
    db_persist = True
    db_returning = True
    expression = models.Value(None)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "editable": False, "blank": True})

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("editable", None)
        kwargs.pop("blank", None)
        return name, path, args, kwargs

    def plain_field(self) -> Any:
        """What history reads the column with."""
        return models.TextField()


class IdentityField(WrittenByDatabase, models.BigIntegerField):  # type: ignore[type-arg]
    """`GENERATED ALWAYS AS IDENTITY` beside the primary key."""

    def plain_field(self) -> Any:
        return models.BigIntegerField()


class TextSearchField(WrittenByDatabase, SearchVectorField):  # type: ignore[type-arg]
    """`tsvector`, kept by the other program's trigger or expression."""


class VirtualField(models.GeneratedField):
    """A virtual generated column: PostgreSQL 18 has them, Django 5.2 does not know it yet."""

    def _check_persistence(self, databases: Any) -> list[Any]:
        return []
