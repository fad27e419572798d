"""The last net of the API: whatever fails before or beside a view leaves as problem+json, never as a page."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from console.api import problems


class ProblemMiddleware:
    """Outermost of our own, so that it also sees answers of the middlewares inside: a host that is not allowed,
    a body that is too large, a login that is locked, a database that is gone, Django's own debug page.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self.get_response(request)
        if answer.status_code < 400 or not request.path.startswith("/api/"):
            return answer
        if answer.headers.get("Content-Type", "").startswith((problems.CONTENT_TYPE, "application/json")):
            return answer
        status = answer.status_code if answer.status_code in problems.BY_STATUS else 500
        told = problems.response(problems.plain(status), request)
        for name in ("Retry-After", "X-Request-ID"):
            if name in answer.headers:
                told.headers[name] = answer.headers[name]
        return told
