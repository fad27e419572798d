"""Secrets that the database keeps and nobody reads back: sealed with AES-256-GCM under a key outside of the database.

A sealed value belongs to what it is about (`about`, such as `receiver 5f3c… secret`): moved to another row it does not
open. The first of `CUSTODY_SEALING_KEYS` seals, every one of them opens, so a key is changed by putting a new one in front.
"""

from __future__ import annotations

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from foundation.errors import Unavailable

VERSION = b"\x01"
KEY_ID, NONCE = 4, 12


class SealBroken(Unavailable):
    """A stored secret cannot be opened: its key is no longer in CUSTODY_SEALING_KEYS, or somebody has changed it. Enter it anew."""

    code = "seal_broken"


def seal(text: str, *, about: str) -> bytes:
    """Version, id of the key, nonce and ciphertext, in this order."""
    key = _keys()[0]
    nonce = os.urandom(NONCE)
    return VERSION + _id(key) + nonce + AESGCM(key).encrypt(nonce, text.encode(), about.encode())


def unseal(sealed: bytes | memoryview, *, about: str) -> str:
    """The text. Raises SealBroken."""
    raw = bytes(sealed)
    wanted, rest = raw[1 : 1 + KEY_ID], raw[1 + KEY_ID :]
    for key in _keys():
        if raw[:1] == VERSION and _id(key) == wanted:
            try:
                return AESGCM(key).decrypt(rest[:NONCE], rest[NONCE:], about.encode()).decode()
            except InvalidTag as error:
                raise SealBroken() from error
    raise SealBroken()


def _keys() -> list[bytes]:
    return [
        HKDF(algorithm=SHA256(), length=32, salt=None, info=b"custody sealing 1").derive(one.encode())
        for one in settings.CUSTODY_SEALING_KEYS
    ]


def _id(key: bytes) -> bytes:
    return hashlib.sha256(b"custody key id" + key).digest()[:KEY_ID]
