"""Turns refusals of the verbs into pages, and a lost login inside a fragment into a whole login page."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from console.pages.errors import refusal
from foundation.errors import CustodyError


class RefusalMiddleware:
    """Pages only; the API has its own answers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if "HX-Request" in request.headers and _to_login(response):
            return _login_instead(request)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, CustodyError) and not request.path.startswith("/api/"):
            return refusal(request, exception)
        return None


def _to_login(response: HttpResponseBase) -> bool:
    location = response.headers.get("Location", "")
    return response.status_code == 302 and urlsplit(location).path == reverse("admin:login")


def _login_instead(request: HttpRequest) -> HttpResponse:
    """A redirect would land inside the fragment's place; this makes htmx load the login page whole."""
    page = urlsplit(request.headers.get("HX-Current-URL", "")).path or reverse("admin:index")
    return HttpResponse(status=401, headers={"HX-Redirect": reverse("admin:login") + "?" + urlencode({"next": page})})
