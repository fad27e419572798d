"""Error pages in the shell: what happened, in words, and what one can do now."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from django.contrib import admin
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from console.errors import status_of
from foundation.errors import CustodyError


@dataclass(frozen=True, slots=True)
class Failure:
    """The words of one error page."""

    status: int
    title: str
    text: str
    code: str = ""


def refusal(request: HttpRequest, error: CustodyError) -> HttpResponse:
    """The page of a refused act. The sentence comes from the error, the title from its family."""
    status = status_of(error)
    return _page(request, Failure(status=status, title=_title(status), text=str(error), code=error.code))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, Failure(400, _title(400), _("The address or the form cannot be read. Nothing was changed.")))


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    text = _("Your roles do not open this page. An administrator gives roles.")
    return _page(request, Failure(403, _title(403), text))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    text = _(
        "This form is too old or comes from another site. Go back, load the page again and repeat. Nothing was changed."
    )
    return _page(request, Failure(403, _("The form was not accepted"), text))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    text = _("There is nothing at this address, or it belongs to another tenant.")
    return _page(request, Failure(404, _title(404), text))


def server_error(request: HttpRequest) -> HttpResponse:
    """Renders without a query and without a session: the database may be what failed."""
    text = _("The fault is recorded. What you had sent was not done, or only as far as the page shows.")
    failure = Failure(500, _title(500), text)
    if isinstance(sys.exc_info()[1], (OperationalError, InterfaceError)):
        failure = Failure(503, _title(503), _("Try again in a few seconds. Nothing was half done."))
    return _bare(request, failure)


def _title(status: int) -> str:
    titles = {
        400: _("This cannot be read"),
        403: _("You may not do this"),
        404: _("Nothing here"),
        409: _("Something has moved on"),
        422: _("This cannot be used"),
        503: _("A part of the system does not answer"),
    }
    return titles.get(status, _("Something went wrong"))


def _bare(request: HttpRequest, failure: Failure) -> HttpResponse:
    context = {"failure": failure, "request_id": getattr(request, "request_id", "")}
    return render(request, "console/errors/bare.html", context, status=failure.status)


def _page(request: HttpRequest, failure: Failure) -> HttpResponse:
    if not hasattr(request, "user"):  # refused before anybody looked who it is, such as a host not allowed
        return _bare(request, failure)
    context = {
        **admin.site.each_context(request),
        "title": failure.title,
        "failure": failure,
        "request_id": getattr(request, "request_id", ""),
    }
    template = "console/errors/page.html" if request.user.is_authenticated else "console/errors/gate.html"
    return render(request, template, context, status=failure.status)
