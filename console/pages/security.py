"""How one logs in: the pages of django-allauth that Custody uses, in its shell, behind a fresh proof where they change something.

Signing up, resetting passwords by mail, addresses and connections have no page here.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.base import views as base
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.socialaccount.providers.openid_connect import views as openid
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.template.response import SimpleTemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView

from access import proofs
from access.openness import declared_open
from console.login import factors
from console.pages.shell import actor_of

View = Callable[..., HttpResponseBase]
OWN = "one's own second factors, after a fresh proof."


def in_shell(title: Any) -> Callable[[View], View]:
    """A page of allauth with what the shell's templates need."""

    def wrap(view: View) -> View:
        @functools.wraps(view)
        def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            answer = view(request, *args, **kwargs)
            if isinstance(answer, SimpleTemplateResponse):
                own = dict(answer.context_data or {})
                answer.context_data = admin.site.each_context(request) | own | {"title": title}
            answer.headers["Cache-Control"] = "no-store"
            return answer

        return page

    return wrap


def proven(view: View) -> View:
    """Changes of one's own factors ask for a fresh proof, looking at the form included: it shows the secret."""

    @functools.wraps(view)
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not _begins(request):
            proofs.require(actor_of(request), "account.secure", "own")
        return view(request, *args, **kwargs)

    return login_required(page)


def _begins(request: HttpRequest) -> bool:
    """A login with nothing to prove it with sets up its first factor right after logging in (OpenID Connect)."""
    means = factors.means_of(request.user)
    if means.password or means.second:
        return False
    times = [float(record["at"]) for record in get_authentication_records(request, request.user)]
    return bool(times) and time.time() - max(times) < settings.CUSTODY_STEP_UP_SECONDS


def _own(view: View, title: Any) -> View:
    return declared_open(OWN)(in_shell(title)(proven(view)))


@declared_open("what one's own login has to prove itself with.")
@login_required
@require_safe
def security(request: HttpRequest) -> HttpResponseBase:
    """Password, code app, passkeys and recovery codes of one's own login."""
    own = list(factors.Authenticator.objects.filter(user_id=request.user.pk).order_by("pk"))
    sheet = next((one for one in own if one.type == factors.RECOVERY), None)
    context = {
        **admin.site.each_context(request),
        "title": _("Security"),
        "means": factors.means_of(request.user),
        "app": next((one for one in own if one.type == factors.CODE), None),
        "passkeys": [one for one in own if one.type == factors.PASSKEY],
        "sheet": sheet,
        "codes_left": len(sheet.wrap().get_unused_codes()) if sheet else 0,
        "minutes": settings.CUSTODY_STEP_UP_SECONDS // 60 or 1,
    }
    return render(request, "console/login/security.html", context)


def _entrance(reason: str, view: View, title: Any = "") -> View:
    return declared_open(reason)(in_shell(title)(view))


_to_login = RedirectView.as_view(pattern_name="admin:login", query_string=True)
_to_security = RedirectView.as_view(pattern_name="mfa_index")

# The names are allauth's: it leads from one to the other by them.
urlpatterns: list[URLPattern] = [
    path("security/", security, name="mfa_index"),
    path("login/", declared_open("leads to the login page.")(_to_login), name="account_login"),
    path(
        "second/",
        _entrance("the second step of a login; wrong codes are counted.", base.authenticate, _("Second step")),
        name="mfa_authenticate",
    ),
    path(
        "passkey/",
        _entrance("logs in by passkey.", webauthn.login_webauthn, _("Log in")),
        name="mfa_login_webauthn",
    ),
    path("app/", _own(totp.activate_totp, _("Code app")), name="mfa_activate_totp"),
    path("app/remove/", _own(totp.deactivate_totp, _("Remove the code app")), name="mfa_deactivate_totp"),
    path("codes/", _own(recovery.view_recovery_codes, _("Recovery codes")), name="mfa_view_recovery_codes"),
    path(
        "codes/new/",
        _own(recovery.generate_recovery_codes, _("New recovery codes")),
        name="mfa_generate_recovery_codes",
    ),
    path("passkeys/", declared_open("leads to the page Security.")(_to_security), name="mfa_list_webauthn"),
    path("passkeys/add/", _own(webauthn.add_webauthn, _("New passkey")), name="mfa_add_webauthn"),
    path("passkeys/<int:pk>/", _own(webauthn.edit_webauthn, _("Rename the passkey")), name="mfa_edit_webauthn"),
    path(
        "passkeys/<int:pk>/remove/",
        _own(webauthn.remove_webauthn, _("Remove the passkey")),
        name="mfa_remove_webauthn",
    ),
    path(
        "oidc/<str:provider_id>/login/",
        _entrance("begins a login by OpenID Connect.", openid.login, _("Log in")),
        name="openid_connect_login",
    ),
    path(
        "oidc/<str:provider_id>/login/callback/",
        _entrance("ends a login by OpenID Connect.", openid.callback, _("Log in")),
        name="openid_connect_callback",
    ),
    path(
        "oidc/cancelled/",
        declared_open("leads to the login page.")(_to_login),
        name="socialaccount_login_cancelled",
    ),
]
