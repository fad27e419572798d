"""Every refusal as problem+json (RFC 9457) with a stable `code`. Never a traceback."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core import exceptions as django_errors
from django.core.signals import got_request_exception
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, ProgrammingError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.encoding import force_str
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError as BrokerDown
from redis.exceptions import RedisError
from rest_framework import exceptions as drf
from rest_framework.views import set_rollback

from access.errors import StepUpNeeded
from changes.errors import BadValue
from console.api.errors import BodyTooLarge, ConstraintViolated, InvalidFields, LockedOut, RefusedByDatabase
from console.errors import status_of
from foundation.errors import CustodyError, Unavailable

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
log = logging.getLogger(__name__)

# Codes and titles of refusals that no class of ours stands for. Also what the schema documents.
BY_STATUS: dict[int, str] = {
    400: "bad_request",
    401: "not_authenticated",
    403: "denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "conflict",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "unprocessable",
    429: "too_many_requests",
    500: "internal_error",
    503: "unavailable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What went wrong, ready to be sent."""

    status: int
    code: str
    detail: str
    errors: tuple[Mapping[str, str], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    field: str | None = None  # last: the name hides dataclasses.field from here on


def response(problem: Problem, request: HttpRequest | None = None) -> HttpResponse:
    """The answer; also used outside of DRF, so it renders itself."""
    body: dict[str, Any] = {
        "type": f"urn:custody:problem:{problem.code}",
        "title": title(problem.status),
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
    }
    if problem.field:
        body["field"] = problem.field
    if problem.errors:
        body["errors"] = list(problem.errors)
    if problem.facts:
        body["facts"] = dict(problem.facts)
    request_id = getattr(request, "request_id", None)
    if request_id:
        body["request_id"] = request_id
    text = json.dumps(body, default=force_str, ensure_ascii=False)
    return HttpResponse(text, status=problem.status, content_type=CONTENT_TYPE, headers=dict(problem.headers))


def title(status: int) -> str:
    """The status in words."""
    titles = {
        400: _("The input cannot be used"),
        401: _("Log in first"),
        403: _("You may not do this"),
        404: _("Nothing here"),
        405: _("Not done with this method"),
        406: _("Not available in this format"),
        409: _("Something has moved on"),
        413: _("Too large"),
        415: _("Not JSON"),
        422: _("This cannot be done"),
        429: _("Too often"),
        503: _("A part of the system does not answer"),
    }
    return titles.get(status, _("Something went wrong"))


def handle(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """DRF's exception handler: the edge of a request, so everything ends here as an answer."""
    set_rollback()
    wrapped = context.get("request")
    request = getattr(wrapped, "_request", wrapped)
    problem = problem_of(error)
    if problem is None:
        log.exception("api.failed", extra={"request_id": getattr(request, "request_id", "")})
        got_request_exception.send(sender=None, request=request)
        problem = plain(500)
    return response(problem, request)


def plain(status: int, detail: str = "", **more: Any) -> Problem:
    """A refusal known by its status only."""
    return Problem(status=status, code=BY_STATUS.get(status, "error"), detail=detail or _sentence(status), **more)


def problem_of(error: Exception) -> Problem | None:
    """The problem an exception stands for; None for a fault of ours."""
    if isinstance(error, CustodyError):
        return _of_custody(error)
    if isinstance(error, drf.APIException):
        return _of_drf(error)
    if isinstance(error, Http404):
        return plain(404)
    if isinstance(error, django_errors.RequestDataTooBig):
        return _of_custody(BodyTooLarge(limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE))
    if isinstance(error, django_errors.PermissionDenied):
        return plain(403)
    if isinstance(error, (django_errors.BadRequest, django_errors.SuspiciousOperation)):
        return plain(400)
    return _of_servers(error)


def _of_custody(error: CustodyError) -> Problem:
    facts = {name: value for name, value in error.facts.items() if name not in ("field", "errors")}
    status = status_of(error)
    if isinstance(error, StepUpNeeded):
        facts["link"] = reverse("api:step-up")
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {}
    if status == 401:
        headers = {"WWW-Authenticate": "Token"}
    if isinstance(error, LockedOut):
        headers = {"Retry-After": str(int(facts["minutes"]) * 60)}
    return Problem(
        status=status,
        code=error.code,
        detail=str(error),
        field=error.facts.get("field"),
        errors=tuple(error.facts.get("errors", ())),
        facts=facts,
        headers=headers,
    )


def _of_drf(error: drf.APIException) -> Problem:
    headers = {}
    challenge, wait = getattr(error, "auth_header", None), getattr(error, "wait", None)
    if challenge:
        headers["WWW-Authenticate"] = str(challenge)
    if wait:
        headers["Retry-After"] = str(int(wait))
    if isinstance(error, drf.ValidationError):
        errors = tuple(_flat(error.get_full_details()))
        return _of_custody(InvalidFields(field=errors[0]["field"] if errors else None, errors=errors))
    detail = force_str(error.detail)
    if detail.startswith("CSRF Failed"):
        return Problem(status=403, code="csrf_failed", detail=detail)
    status = error.status_code
    code = BY_STATUS.get(status, "error")
    if isinstance(error, drf.AuthenticationFailed):
        code = "authentication_failed"
    return Problem(status=status, code=code, detail=detail, headers=headers)


def _flat(details: Any, place: str = "") -> list[dict[str, str]]:
    """DRF's nested error details as a list of places."""
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        return [{"field": place, "code": str(details["code"]), "message": force_str(details["message"])}]
    found: list[dict[str, str]] = []
    if isinstance(details, dict):
        for name, inner in details.items():
            found += _flat(inner, place if name == "non_field_errors" else f"{place}.{name}".lstrip("."))
    elif isinstance(details, list):
        for inner in details:
            found += _flat(inner, place)
    return found


def _of_servers(error: Exception) -> Problem | None:
    """Refusals of PostgreSQL and of the broker. Constraints are known by name, guards by their SQLSTATE."""
    if isinstance(error, (OperationalError, InterfaceError, BrokerDown, RedisError)):
        log.warning("api.unavailable", exc_info=error)
        return _of_custody(Unavailable())
    said = getattr(error.__cause__, "diag", None)
    if isinstance(error, IntegrityError):
        return _of_custody(ConstraintViolated(constraint=getattr(said, "constraint_name", None) or "-"))
    if isinstance(error, ProgrammingError) and getattr(error.__cause__, "sqlstate", "") == "42501":
        message = str(getattr(said, "message_primary", "") or "")
        return _of_custody(RefusedByDatabase(message=message if message.startswith("custody:") else "-"))
    if isinstance(error, DataError):
        return _of_custody(BadValue(name="?", value="", hint=_("The database cannot store it.")))
    return None


def _sentence(status: int) -> str:
    sentences = {
        400: _("The request cannot be read. Nothing was changed."),
        403: _("Your roles do not allow this."),
        404: _("There is nothing at this address, or it belongs to another tenant. Addresses end in a slash."),
        429: _("Wait a little and try again."),
        500: _("The fault is recorded under the request id."),
        503: _("Try again in a few seconds. Nothing was half done."),
    }
    return sentences.get(status, title(status))


def locked_out(minutes: timedelta) -> LockedOut:
    """The refusal after too many wrong passwords."""
    return LockedOut(minutes=max(1, int(minutes.total_seconds() // 60)))
