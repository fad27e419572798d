"""What a column becomes: the field in models.py (as source), and the lenient column in the history table.

History must never break a write of the other program, so its columns have no length, no NOT NULL, no check,
and the wider type where one exists; types of the schema's own become text, except in keys, where the engine
compares them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit.adoption.catalog import Column
from audit.names import quote

SIMPLE = {
    "int2": "models.SmallIntegerField",
    "int4": "models.IntegerField",
    "int8": "models.BigIntegerField",
    "bool": "models.BooleanField",
    "float4": "models.FloatField",
    "float8": "models.FloatField",
    "text": "models.TextField",
    "citext": "models.TextField",
    "date": "models.DateField",
    "time": "models.TimeField",
    "timestamptz": "models.DateTimeField",
    "timestamp": "adopted.LocalDateTimeField",
    "interval": "models.DurationField",
    "uuid": "models.UUIDField",
    "jsonb": "models.JSONField",
    "json": "adopted.PlainJSONField",
    "bytea": "models.BinaryField",
    "inet": "models.GenericIPAddressField",
    "tsvector": "adopted.TextSearchField",
    "hstore": "pg.HStoreField",
    "int4range": "pg.IntegerRangeField",
    "int8range": "pg.BigIntegerRangeField",
    "numrange": "pg.DecimalRangeField",
    "tstzrange": "pg.DateTimeRangeField",
    "daterange": "pg.DateRangeField",
}
AUTO = {"int2": "models.SmallAutoField", "int4": "models.AutoField", "int8": "models.BigAutoField"}
TEXTUAL = frozenset({"models.CharField", "models.TextField", "adopted.EnumField"})
WIDER = {
    "int2": "bigint",
    "int4": "bigint",
    "float4": "double precision",
    "varchar": "text",
    "bpchar": "text",
    "name": "text",
    "bit": "bit varying",
}
NOW = frozenset({"now()", "CURRENT_TIMESTAMP", "transaction_timestamp()"})


@dataclass(frozen=True, slots=True)
class Source:
    """A field's constructor call, to be printed."""

    call: str
    arguments: tuple[tuple[str, str], ...] = ()
    positional: str = ""

    def with_options(self, **options: str) -> Source:
        return Source(self.call, (*self.arguments, *options.items()), self.positional)

    def __str__(self) -> str:
        inside = [self.positional] if self.positional else []
        inside += [f"{name}={value}" for name, value in self.arguments]
        return f"{self.call}({', '.join(inside)})"


def text(value: str) -> str:
    """A string constant in Python source, in double quotes where that is plain."""
    shown = repr(value)
    return shown if '"' in shown or shown[0] == '"' else f'"{shown[1:-1]}"'


def column_field(column: Column, *, is_key: bool) -> Source:
    """The field of a plain column, without null, default and name."""
    if column.generated:
        return _generated(column)
    if column.is_array:
        return _array(column)
    if is_key and column.from_sequence and column.type_name in AUTO and not column.via_domain:
        return Source(AUTO[column.type_name])
    if column.identity == "a":
        return Source("adopted.IdentityField")
    return _scalar(column.type_name, column.type_kind, column.base, column.typmod, column.labels)


def options(column: Column, source: Source, *, is_key: bool) -> Source:
    """The field with null, default and verbose comment added."""
    if not column.not_null and not is_key:
        source = source.with_options(null="True")
        if source.call != "adopted.TextSearchField":
            source = source.with_options(blank="True")
    elif column.not_null and source.call == "models.TextField":
        source = source.with_options(blank="True")
    default = db_default(column, source) if not (is_key and source.call in AUTO.values()) else None
    if default is not None and source.call not in ("models.GeneratedField", "adopted.VirtualField"):
        source = source.with_options(db_default=default)
    if column.comment:
        source = source.with_options(help_text=text(column.comment))
    return source


def _generated(column: Column) -> Source:
    plain = _scalar(column.type_name, column.type_kind, column.base, column.typmod, column.labels)
    call = "models.GeneratedField" if column.generated == "s" else "adopted.VirtualField"
    return Source(
        call,
        (
            ("expression", f"RawSQL({text(column.default)}, ())"),
            ("output_field", str(plain)),
            ("db_persist", "True" if column.generated == "s" else "False"),
        ),
    )


def _array(column: Column) -> Source:
    element = column.element or "text"
    base = column.base.removesuffix("[]")
    if column.element_kind in ("d", "c"):
        item = Source("adopted.TypeField", positional=text(base))
    else:
        item = _scalar(element, column.element_kind or "b", base, column.typmod, column.labels)
    own = column.element_kind != "b" or column.element_schema != "pg_catalog"
    for depth in range(column.dimensions, 0, -1):
        call = "adopted.TypeArrayField" if own and depth == 1 else "pg.ArrayField"
        item = Source(call, positional=str(item))
    return item


def _scalar(type_name: str, kind: str, base: str, typmod: int, labels: tuple[str, ...]) -> Source:
    if kind == "e":
        longest = max((len(label) for label in labels), default=1)
        choices = "[" + ", ".join(f"({text(label)}, {text(label)})" for label in labels) + "]"
        return Source("adopted.EnumField", (("max_length", str(longest)), ("choices", choices)), text(base))
    if kind in ("b", "r") and type_name in SIMPLE:
        return Source(SIMPLE[type_name])
    if type_name in ("varchar", "bpchar"):
        if typmod < 4:
            return Source("models.TextField")
        return Source("models.CharField", (("max_length", str(typmod - 4)),))
    if type_name == "name":
        return Source("models.CharField", (("max_length", "63"),))
    if type_name == "numeric":
        return _numeric(typmod)
    return Source("adopted.TypeField", positional=text(base))


def _numeric(typmod: int) -> Source:
    if typmod < 4:
        return Source("adopted.NumericField")
    precision, scale = (typmod - 4) >> 16 & 0xFFFF, (typmod - 4) & 0x7FF
    if scale > precision:  # negative scales, and more places than digits
        return Source("adopted.NumericField")
    return Source("models.DecimalField", (("max_digits", str(precision)), ("decimal_places", str(scale))))


def db_default(column: Column, source: Source) -> str | None:
    """The column's default as source; None without one."""
    expression = column.default
    if not expression or column.generated or column.identity:
        return None
    if source.call == "models.BooleanField" and expression in ("true", "false"):
        return expression.capitalize()
    if source.call in ("models.IntegerField", "models.BigIntegerField", "models.SmallIntegerField"):
        number = re.fullmatch(r"'?\(?(-?\d+)\)?'?(::\w+)?", expression)
        if number:
            return number[1]
    if source.call == "models.DateTimeField" and expression in NOW:
        return "Now()"
    if source.call in TEXTUAL:
        words = re.fullmatch(r"'((?:[^'\\]|'')*)'::[\w .\"]+(\(\d+\))?", expression)
        if words:
            return text(words[1].replace("''", "'"))
    return f"RawSQL({text(expression)}, ())"


def history_type(column: Column, *, is_compared: bool) -> str:
    """Type of the column's copy in history; `is_compared` for columns of keys and foreign keys."""
    if column.is_array:
        return _array_history(column)
    if column.type_name in WIDER and column.type_kind == "b":
        return WIDER[column.type_name]
    if _is_builtin(column.type_schema, column.type_kind):
        return _without_modifier(column.base)
    return _with_schema(column) if is_compared else "text"


def _array_history(column: Column) -> str:
    if column.element_kind == "b" and column.element_schema == "pg_catalog":
        base = column.base.removesuffix("[]")
        return WIDER.get(column.element or "", _without_modifier(base)) + "[]"
    return "text[]"


def _is_builtin(schema: str, kind: str) -> bool:
    return schema == "pg_catalog" and kind in ("b", "r", "m")


def _with_schema(column: Column) -> str:
    """The catalog leaves out a schema that this login looks into, such as public; the capture looks into none."""
    kind, schema = _without_modifier(column.base), column.type_schema
    return kind if kind.startswith((f"{schema}.", f"{quote(schema)}.")) else f"{quote(schema)}.{kind}"


def _without_modifier(kind: str) -> str:
    return re.sub(r"\(\d+(,-?\d+)?\)", "", kind)


def is_recorded(column: Column) -> bool:
    """A virtual generated column is NULL in a transition table, so history leaves it out."""
    return column.generated != "v"
