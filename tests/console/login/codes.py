"""Code apps of personas."""

from __future__ import annotations

import time

from foundation.actor import Actor
from tests.personas import user_of


def with_code_app(actor: Actor) -> str:
    """Set up a code app for the persona's login; its secret."""
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    secret = generate_totp_secret()
    TOTP.activate(user_of(actor), secret)
    return secret


def code_now(secret: str, *, later: int = 0) -> str:
    """What the app shows now, or so many steps later."""
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + later))
