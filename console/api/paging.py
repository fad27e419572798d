"""Cursor pagination by key: a page is found by index, however far back it lies, and never shifts."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from rest_framework.request import Request

from console.api.base import integer
from console.api.errors import BadCursor, BadParameter
from console.api.values import plain

PAGE_SIZE = 50
PAGE_LIMIT = 100
PARAMETERS = frozenset({"cursor", "page_size"})


def size(request: Request) -> int:
    """The page size asked for."""
    text = request.query_params.get("page_size", str(PAGE_SIZE))
    number = integer(text, least=1, most=PAGE_LIMIT)
    if number is None:
        raise BadParameter(field="page_size", value=text[:40], hint=f"1…{PAGE_LIMIT}")
    return number


def start(request: Request, *, parts: int = 1) -> list[Any] | None:
    """The key after which the page begins; None for the first page. Raises BadCursor."""
    text = request.query_params.get("cursor", "")
    if not text:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise BadCursor(field="cursor") from error
    if not isinstance(key, list) or len(key) != parts or not all(isinstance(part, (int, str)) for part in key):
        raise BadCursor(field="cursor")
    return key


def numbers(request: Request, *, parts: int = 1) -> list[int] | None:
    """As `start`, for keys of whole numbers."""
    key = start(request, parts=parts)
    if key is not None and not all(type(part) is int and -(2**63) <= part < 2**63 for part in key):
        raise BadCursor(field="cursor")
    return key


def page(
    request: Request,
    rows: Any,
    *,
    key: Callable[[Any], Sequence[Any]],
    show: Callable[[list[Any]], list[Any]],
    limit: int,
) -> dict[str, Any]:
    """The answer of a list. `rows` is ordered and begins after the cursor."""
    found = list(rows[: limit + 1])
    shown, more = found[:limit], len(found) > limit
    cursor = _encode(key(shown[-1])) if more else None
    return {"results": show(shown), "next": _address(request, cursor), "next_cursor": cursor}


def _encode(key: Sequence[Any]) -> str:
    raw = json.dumps([plain(part) for part in key], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def _address(request: Request, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    query = [(name, value) for name, value in request.query_params.items() if name != "cursor"]
    return request.build_absolute_uri(f"{request.path}?{urlencode([*query, ('cursor', cursor)])}")
