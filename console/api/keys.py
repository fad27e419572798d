"""Keys of rows in addresses: parts joined by commas, each percent-encoded.

A server decodes an address once, before anybody looks at it. A part with a comma or a percent sign in it is
therefore encoded once more by us; every row carries its `key` and `url` in this form, so nobody has to.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

from audit.entity import SoftDeleted
from changes.selection import Selection
from console.api.errors import BadCursor, RowNotFound
from foundation.errors import Invalid


def text_of(row: Any) -> str:
    """The key of a row, or of one of its historical versions."""
    model = getattr(row, "instance_type", type(row))
    return join(getattr(row, field.attname) for field in model._meta.pk_fields)


def join(parts: Any) -> str:
    """Key parts as one text."""
    return ",".join(quote(str(part), safe=" /:+@~!*'()") for part in parts)


def parse(text: str, entity: type[SoftDeleted]) -> Any:
    """The typed key. A text that is no key of this entity names no row: raises RowNotFound."""
    fields = entity._meta.pk_fields
    parts = [text] if len(fields) == 1 else text.split(",")
    try:
        return typed([unquote(part) for part in parts], entity)
    except Invalid as error:
        raise RowNotFound(entity=str(entity.governance.label)) from error


def typed(parts: list[Any], entity: type[SoftDeleted]) -> Any:
    """Key parts in the types of their columns. Raises BadValue."""
    keys = Selection.parse({"keys": [parts]}, entity).keys
    assert keys
    return keys[0]


def after(parts: list[Any], entity: type[SoftDeleted]) -> Any:
    """The key of a cursor. Raises BadCursor where it is none of this entity."""
    try:
        return typed(parts, entity)
    except Invalid as error:
        raise BadCursor(field="cursor") from error
