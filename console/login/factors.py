"""Second factors of a login: what it has, and whether a code or a passkey is right. The factors are django-allauth's.

Codes of an app are spent in the database, so that of two at once, on any process, one is taken.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.mfa.utils import decrypt
from allauth.mfa.webauthn.internal import auth as passkeys
from django.core.exceptions import ValidationError

from access import proofs

CODE, PASSKEY, RECOVERY = Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN, Authenticator.Type.RECOVERY_CODES


@dataclass(frozen=True, slots=True)
class Means:
    """How a login can show that it is itself."""

    password: bool
    code: bool
    passkey: bool

    @property
    def second(self) -> bool:
        """Whether a second factor is set up."""
        return self.code or self.passkey


def means_of(user: Any) -> Means:
    """What this login has set up."""
    types = set(Authenticator.objects.filter(user_id=user.pk).values_list("type", flat=True))
    return Means(password=user.has_usable_password(), code=CODE in types, passkey=PASSKEY in types)


def right_code(user: Any, code: str) -> Authenticator | None:
    """The app whose code this is, now spent; None when it is wrong or was used before."""
    app = Authenticator.objects.filter(user_id=user.pk, type=CODE).first()
    if app is None:
        return None
    step = _step(decrypt(app.data["secret"]), code)
    if step is None or not proofs.spend_step(user.pk, step):
        return None
    app.record_usage()
    return app


def right_recovery_code(user: Any, code: str) -> Authenticator | None:
    """The sheet this code is from, the code now crossed out; None when it is on none. allauth locks the sheet's row."""
    sheet = Authenticator.objects.filter(user_id=user.pk, type=RECOVERY).first()
    if sheet is None or not sheet.wrap().validate_code(code.strip()):
        return None
    sheet.record_usage()
    return sheet


def question(user: Any) -> dict[str, Any]:
    """What the browser asks the passkey; the challenge is kept in the session until it is answered."""
    return passkeys.begin_authentication(user)


def right_passkey(user: Any, credential: str) -> Authenticator | None:
    """The passkey that answered the question of this session; None for every other answer."""
    try:
        answer = json.loads(credential)
        passkeys.parse_authentication_response(answer)
        key = passkeys.complete_authentication(user, answer)
    except (ValueError, ValidationError, AttributeError, KeyError, TypeError):
        return None
    finally:
        passkeys.clear_state()
    key.record_usage()
    return key


def _step(secret: str, code: str) -> int | None:
    """The time step that the code belongs to, among those that are taken now."""
    for step in yield_hotp_counters_from_time():
        if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, step))):
            return step
    return None
