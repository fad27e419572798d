"""How Custody uses django-allauth: nobody signs up by themselves, no mail is sent, factors' secrets are encrypted.

A login of OpenID Connect maps to a login here by its subject; the first time by a verified e-mail address that
administrators gave to exactly one login. It never brings a role: an unknown one gets a login without any.
"""

from __future__ import annotations

import base64
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.encoding import force_bytes
from django.utils.translation import gettext as _

BACKEND = "django.contrib.auth.backends.ModelBackend"


class AccountAdapter(DefaultAccountAdapter):
    """Logins are made by administrators."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_reauthentication_required(self, *, app: str) -> bool:
        """Never by allauth: its pages stand behind `proofs.require`, as everything else does."""
        return False

    def login(self, request: HttpRequest, user: Any) -> None:
        user.backend = BACKEND
        super().login(request, user)

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> HttpResponse:
        messages.error(request, _("This login is not active. An administrator can make it so."))
        return redirect("admin:login")


class SocialAdapter(DefaultSocialAccountAdapter):
    """OpenID Connect."""

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Link a subject that is seen for the first time to the one login whose verified address it brings."""
        if sociallogin.is_existing or not settings.CUSTODY_OIDC_LINK_BY_EMAIL:
            return
        addresses = {one.email.lower() for one in sociallogin.email_addresses if one.verified is True}
        found = [user for address in addresses for user in _by_address(address)]
        if len(found) == 1 and found[0].is_active:
            sociallogin.connect(request, found[0])

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """A login without a role, unless the address is somebody's already: then an administrator links it."""
        addresses = [sociallogin.user.email, *(one.email for one in sociallogin.email_addresses)]
        return not any(_by_address(address) for address in addresses if address)

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> Any:
        sociallogin.user.is_staff = sociallogin.user.is_superuser = False
        return super().save_user(request, sociallogin, form)

    def can_authenticate_by_email(self, login: Any, email: str) -> bool:
        """Not allauth's way, which would take the login's password away; see `pre_social_login`."""
        return False


def _by_address(address: str) -> list[Any]:
    return list(get_user_model().objects.filter(email__iexact=address)[:2])


class FactorAdapter(DefaultMFAAdapter):
    """Secrets of code apps and recovery codes are encrypted with a key derived from CUSTODY_SECRET_KEY."""

    def encrypt(self, text: str) -> str:
        return _safe().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _safe().decrypt(encrypted_text.encode()).decode()

    def generate_authenticator_name(self, user: Any, type: Any) -> str:  # noqa: A002
        """The name a new passkey is proposed."""
        return _("Passkey")


def _safe() -> MultiFernet:
    """Old keys (SECRET_KEY_FALLBACKS) still open what they closed."""
    return MultiFernet([Fernet(_key(secret)) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _key(secret: str | bytes) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"custody second factors").derive(force_bytes(secret))
    return base64.urlsafe_b64encode(derived)
