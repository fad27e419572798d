"""How views describe themselves in the schema: what they take, what they give, and every refusal by code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers

from access.errors import NotAllowed
from console.api.errors import (
    BadCursor,
    BadParameter,
    BodyTooLarge,
    InvalidFields,
    MalformedJson,
    TooDeep,
    UnknownParameter,
    UnstorableText,
)
from console.api.fields import Body
from console.api.paging import PAGE_LIMIT, PAGE_SIZE
from console.api.problems import BY_STATUS, CONTENT_TYPE
from console.api.serializers import ProblemShown
from console.errors import status_of
from foundation.errors import CustodyError, Unavailable

Errors = Iterable[type[CustodyError]]
EVERYWHERE: tuple[type[CustodyError], ...] = (UnknownParameter, UnstorableText, Unavailable)
WITH_LOGIN: tuple[type[CustodyError], ...] = (NotAllowed,)
WITH_BODY: tuple[type[CustodyError], ...] = (MalformedJson, TooDeep, InvalidFields, BodyTooLarge)
WITH_PAGES: tuple[type[CustodyError], ...] = (BadCursor, BadParameter)


class Description(AutoSchema):
    """A view's own docstring describes it; that of its base is for developers."""

    def get_description(self) -> str:  # type: ignore[override]
        return str(type(self.view).__dict__.get("__doc__") or "")

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        shape = super()._map_basic_serializer(serializer, direction)
        if isinstance(serializer, Body):
            shape["additionalProperties"] = False
        return shape


def operation(
    name: str,
    summary: str,
    *,
    gives: Any,
    status: int | tuple[int, ...] = 200,
    takes: Any = None,
    also: Mapping[int, Any] | None = None,
    errors: Errors = (),
    parameters: Iterable[OpenApiParameter] = (),
    paged: bool = False,
    login: bool = True,
    tag: str = "",
) -> Callable[[Any], Any]:
    """Describe one method of a view. `errors` are those of its verb; the general ones are added.

    `also`: what it gives under other statuses.
    """
    statuses = (status,) if isinstance(status, int) else status
    shown = _page_of(name, gives) if paged else gives
    responses: dict[Any, Any] = dict.fromkeys(statuses, shown) | dict(also or {})
    responses |= _problems(errors, body=takes is not None, paged=paged, login=login)
    return extend_schema(
        operation_id=name,
        summary=summary,
        tags=[tag] if tag else None,
        request=takes,
        responses=responses,
        parameters=[*parameters, *(PAGING if paged else ())],
        auth=None if login else [],
    )


def query(name: str, description: str, kind: Any = str, **more: Any) -> OpenApiParameter:
    """A query parameter."""
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=description, **more)


PAGING = (
    query("cursor", "`next_cursor` of the page before."),
    query("page_size", f"{PAGE_SIZE} unless told.", {"type": "integer", "minimum": 1, "maximum": PAGE_LIMIT}),
)
IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="A text of up to 255 signs, a UUID for example. The same request with the same key is done once.",
)


def _page_of(name: str, item: Any) -> Any:
    return inline_serializer(
        f"{name[0].upper()}{name[1:]}Page",
        {
            "results": item(many=True),
            "next": serializers.CharField(allow_null=True, help_text="Address of the next page."),
            "next_cursor": serializers.CharField(allow_null=True),
        },
    )


def _problems(errors: Errors, *, body: bool, paged: bool, login: bool) -> dict[tuple[int, str], OpenApiResponse]:
    """Refusals per status, each code with its sentence."""
    known = [*EVERYWHERE, *(WITH_LOGIN if login else ()), *(WITH_BODY if body else ())]
    known += [*(WITH_PAGES if paged else ()), *errors]
    lines: dict[int, list[str]] = {}
    for error in dict.fromkeys(known):
        blank: Any = error()
        lines.setdefault(status_of(error), []).append(f"- `{error.code}`: {blank.sentence}")
    plain = [404, 405, 406, 500, *([415] if body else ())]
    if login:
        plain.append(401)
        lines.setdefault(401, []).append("- `authentication_failed`: the token is not valid.")
        if body:
            lines.setdefault(403, []).append("- `csrf_failed`: a session needs the CSRF token in `X-CSRFToken`.")
    for status in plain:
        lines.setdefault(status, []).insert(0, f"- `{BY_STATUS[status]}`")
    return {
        (status, CONTENT_TYPE): OpenApiResponse(ProblemShown, description="\n".join(texts))
        for status, texts in sorted(lines.items())
    }
