"""Times the API's requests, for runs that wait while it is slow."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from console import latency


class LatencyMiddleware:
    """Counts each request of the API by how long it took."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith("/api/"):
            return self.get_response(request)
        began = time.perf_counter()
        try:
            return self.get_response(request)
        finally:
            latency.note((time.perf_counter() - began) * 1000)
