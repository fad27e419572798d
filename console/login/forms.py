"""The second step of a login: a code of an app, or one of the recovery codes. Wrong ones count towards the lock."""

from __future__ import annotations

from typing import Any

from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import AuthenticateWebAuthnForm
from django.core.exceptions import ValidationError

from console.api.errors import LockedOut
from console.login import counting, factors


class SecondStepForm(AuthenticateForm):
    """allauth's form, with codes spent in the database and wrong ones counted by axes."""

    def clean_code(self) -> str:
        _refuse_locked(self.user)
        code = str(self.cleaned_data["code"])
        right = factors.right_code(self.user, code) or factors.right_recovery_code(self.user, code)
        if right is None:
            counting.count_wrong(context.request, self.user)
            raise get_adapter().validation_error("incorrect_code")
        right.user = self.user
        self.authenticator = right
        return code


class SecondPasskeyForm(AuthenticateWebAuthnForm):
    """The same for a passkey as the second step."""

    def clean_credential(self) -> Authenticator:
        _refuse_locked(self.user)
        try:
            return super().clean_credential()
        except ValidationError:
            counting.count_wrong(context.request, self.user)
            raise


def _refuse_locked(user: Any) -> None:
    try:
        counting.refuse_locked(context.request, user)
    except LockedOut as locked:
        raise ValidationError(str(locked), code=locked.code) from locked
