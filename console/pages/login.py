"""Logging in, and the choice of language (also for people who are not logged in)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from csp.decorators import csp_update
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from access.openness import declared_open


class LoginForm(AuthenticationForm):
    """Name and password of any active login; what it may do there, its roles decide."""

    required_css_class = "required"


def sign_on_host() -> str:
    """Scheme and host of the OpenID Connect provider, which the login page's form may be sent on to."""
    place = urlsplit(settings.CUSTODY_OIDC_ISSUER)
    return f"{place.scheme}://{place.netloc}" if place.netloc else "'self'"


@method_decorator(csp_update({"form-action": [sign_on_host()]}), name="dispatch")
class Entrance(LoginView):
    """A password, then whatever second factor the login has; or a passkey or OpenID Connect at once."""

    template_name = "admin/login.html"
    authentication_form = LoginForm

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Hand over to allauth, which asks for the second factor and then logs in."""
        login = Login(user=form.get_user(), redirect_url=self.get_success_url())
        return perform_password_login(self.request, {"username": form.cleaned_data["username"]}, login)

    def get_default_redirect_url(self) -> str:
        return reverse("admin:index")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {
            **super().get_context_data(**kwargs),
            **admin.site.each_context(self.request),
            "title": _("Log in"),
            "app_path": self.request.get_full_path(),
            "sign_on": settings.CUSTODY_OIDC_NAME if settings.CUSTODY_OIDC_ISSUER else "",
        }


@declared_open("sets a cookie with the language.")
@require_POST
def choose_language(request: HttpRequest) -> HttpResponseBase:
    """Keep the language in a cookie and go back to the page one was on."""
    return set_language(request)
