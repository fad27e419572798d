"""Wrong passwords, codes and passkeys count together, per login and address, and lock it for a while (django-axes)."""

from __future__ import annotations

from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_cool_off
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest

from console.api.errors import LockedOut
from console.api.problems import locked_out


def refuse_locked(request: HttpRequest, user: Any) -> None:
    """Raises LockedOut while too many wrong ones are remembered."""
    if not AxesProxyHandler.is_allowed(request, {"username": user.get_username()}):
        raise lock(request)


def count_wrong(request: HttpRequest, user: Any) -> None:
    """Remember one wrong code or passkey. A wrong password is remembered by `authenticate` itself."""
    user_login_failed.send(sender=__name__, credentials={"username": user.get_username()}, request=request)


def lock(request: HttpRequest) -> LockedOut:
    """The refusal; without the mark that would have axes' middleware answer instead."""
    request.axes_locked_out = False  # type: ignore[attr-defined]
    return locked_out(get_cool_off(request))
