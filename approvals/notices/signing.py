"""The signature of a webhook: HMAC-SHA256 over `timestamp.body`, so that nobody else can send it, alter it or keep it for later."""

from __future__ import annotations

import hashlib
import hmac
import secrets

PREFIX = "whsec_"


def fresh_secret() -> str:
    """256 random bits; the prefix lets scanners of repositories find one that leaked."""
    return PREFIX + secrets.token_urlsafe(32)


def headers(secret: str, body: bytes, *, uuid: str, timestamp: int) -> dict[str, str]:
    """What a receiver verifies. The id stands in the signed body as well."""
    mac = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "Custody-Id": uuid,
        "Custody-Timestamp": str(timestamp),
        "Custody-Signature": f"v1={mac.hexdigest()}",
    }
