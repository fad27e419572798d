"""Reading what clients send: JSON within limits, and only text that PostgreSQL can store."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from rest_framework.parsers import BaseParser

from console.api.errors import BodyTooLarge, MalformedJson, TooDeep, UnstorableText

DEPTH_LIMIT = 20


class StrictJSONParser(BaseParser):
    """JSON without NaN, at most 20 levels deep, within DATA_UPLOAD_MAX_MEMORY_SIZE."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        raw = _read(stream)
        return parse_json(raw) if raw.strip() else {}


def parse_json(raw: bytes | str, *, place: str = "") -> Any:
    """Untrusted JSON as values. Raises MalformedJson, TooDeep, UnstorableText."""
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8")
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError as error:
        raise TooDeep(limit=DEPTH_LIMIT, field=place or None) from error
    except ValueError as error:  # also UnicodeDecodeError, and numbers of more than 4,300 digits
        raise MalformedJson(problem=str(error)[:200], field=place or None) from error
    _inspect(value, place)
    return value


def storable(text: str) -> bool:
    """Whether PostgreSQL can store the text."""
    if "\x00" in text:
        return False
    return text.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in text)


def refuse_unstorable(values: Mapping[str, Any]) -> None:
    """Check texts that came in an address."""
    for name, value in values.items():
        if not storable(name) or not all(storable(str(one)) for one in (value if isinstance(value, list) else [value])):
            raise UnstorableText(field=name.replace("\x00", ""))


def _read(stream: Any) -> bytes:
    """The body, refused as soon as it is longer than allowed, whatever its header says."""
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    raw: bytes = stream.read(limit + 1)
    if len(raw) > limit:
        raise BodyTooLarge(limit=limit)
    return raw


def _inspect(root: Any, place: str) -> None:
    """Depth and texts, without recursion."""
    level, depth = [root], 0
    while level:
        depth += 1
        if depth > DEPTH_LIMIT + 1:
            raise TooDeep(limit=DEPTH_LIMIT, field=place or None)
        below: list[Any] = []
        for value in level:
            if isinstance(value, str):
                _check_text(value, place)
            elif isinstance(value, dict):
                below += value.keys()
                below += value.values()
            elif isinstance(value, list):
                below += value
        level = below


def _check_text(text: str, place: str) -> None:
    if not storable(text):
        raise UnstorableText(field=place or None)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number
