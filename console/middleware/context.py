"""Opens the context of the work for whoever is logged in: who, for which tenant, from where, under which request."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from access.actors import actor_for
from access.proofs import bound_to
from foundation.actor import Actor
from foundation.context import acting

_IDENTIFIER = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
ANONYMOUS = Actor(kind="user", name="")


class ContextMiddleware:
    """Sets `request.actor`, `request_id`, `trace_id`, `traceparent`; every answer carries X-Request-ID.

    Nobody logged in means no context, and without a context row level security shows no rows.
    A client authenticated by token is only known to the API's views, which open their own.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = _identifier(request.headers.get("X-Request-ID")) or uuid.uuid4().hex
        traceparent = _traceparent(request.headers.get("traceparent"))
        trace_id = traceparent[3:35] or _identifier(request.headers.get("X-Trace-ID")) or request_id
        request.request_id = request_id  # type: ignore[attr-defined]
        request.trace_id = trace_id  # type: ignore[attr-defined]
        request.traceparent = traceparent  # type: ignore[attr-defined]
        request.actor = ANONYMOUS  # type: ignore[attr-defined]
        if request.user.is_authenticated:
            response = self._as_user(request, request_id, trace_id)
        else:
            response = self.get_response(request)
        response.headers["X-Request-ID"] = request_id
        return response

    def _as_user(self, request: HttpRequest, request_id: str, trace_id: str) -> HttpResponseBase:
        actor = actor_for(request.user)
        request.actor = actor  # type: ignore[attr-defined]
        with acting(
            actor,
            channel="api" if request.path.startswith("/api/") else "page",
            request_id=request_id,
            trace_id=trace_id,
            ip=request.META.get("REMOTE_ADDR") or None,
            session=bound_to("session", request.session.session_key or ""),
        ):
            return self.get_response(request)


def _identifier(text: str | None) -> str | None:
    """A caller's request id, if it is one: it is stored and shown, so free text is not taken."""
    return text if text and _IDENTIFIER.fullmatch(text) else None


def _traceparent(header: str | None) -> str:
    """A W3C traceparent header, "" unless it is one."""
    return header if header and _TRACEPARENT.fullmatch(header) else ""
