"""A fresh proof: verify the password, the code or the passkey that was given, and keep that it was."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.http import HttpRequest

from access import proofs
from access.errors import MethodNotTaken, WrongProof
from access.models import Proof
from console.login import counting, factors
from foundation.actor import Actor

PASSWORD, CODE, PASSKEY = Proof.Method.PASSWORD.value, Proof.Method.CODE.value, Proof.Method.PASSKEY.value


def prove(request: HttpRequest, user: Any, actor: Actor, given: dict[str, str], *, meant: str = "") -> Proof:
    """Take the first of passkey, code and password that was given. Wrong ones count towards the lock.

    Raises WrongProof, LockedOut, MethodNotTaken.
    """
    method = next((name for name in (PASSKEY, CODE, PASSWORD) if given.get(name)), PASSWORD)
    if method not in settings.CUSTODY_STEP_UP_METHODS:
        raise MethodNotTaken(field=method, method=method, methods=", ".join(settings.CUSTODY_STEP_UP_METHODS))
    counting.refuse_locked(request, user)
    if not _is_right(request, user, method, given.get(method, "")):
        if getattr(request, "axes_locked_out", False):
            raise counting.lock(request)
        raise WrongProof(field=method)
    return proofs.record(actor, method, meant=meant)


def _is_right(request: HttpRequest, user: Any, method: str, given: str) -> bool:
    if method == PASSWORD:
        known = authenticate(request, username=user.get_username(), password=given)
        return known is not None and known.pk == user.pk
    right = factors.right_passkey(user, given) if method == PASSKEY else factors.right_code(user, given)
    if right is None:
        counting.count_wrong(request, user)
    return right is not None
