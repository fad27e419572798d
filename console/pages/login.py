"""Logging in, and the choice of language (also for people who are not logged in)."""

from __future__ import annotations

from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from access.openness import declared_open


class LoginForm(AuthenticationForm):
    """Name and password of any active login; what it may do there, its roles decide."""

    required_css_class = "required"


@declared_open("sets a cookie with the language.")
@require_POST
def choose_language(request: HttpRequest) -> HttpResponseBase:
    """Keep the language in a cookie and go back to the page one was on."""
    return set_language(request)
