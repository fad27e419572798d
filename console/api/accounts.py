"""Who one is here, and a token for programs."""

from __future__ import annotations

from typing import Any

from axes.helpers import get_cool_off
from django.contrib.auth import authenticate
from rest_framework.authtoken.models import Token
from rest_framework.request import Request
from rest_framework.response import Response

from access.enforcement import allowed
from access.openness import declared_open
from access.policy import ALLOWED
from console.api.base import ApiView, OpenApiView
from console.api.describing import operation
from console.api.errors import CodeNeeded, LockedOut, WrongCredentials
from console.api.fields import read
from console.api.problems import locked_out
from console.api.requests import TokenRequest
from console.api.serializers import MeShown, TokenShown
from console.api.tickets import waiting_for
from console.login import counting, factors


@declared_open("tells a login about itself.")
class Me(ApiView):
    @operation("getMe", "Who this login is and what it may do", gives=MeShown, tag="account")
    def get(self, request: Request) -> Response:
        actor = self.actor
        return Response(
            MeShown(
                {
                    "user": actor.user_id,
                    "name": actor.name,
                    "person": actor.person_id,
                    "tenant": actor.tenant_id,
                    "roles": sorted(actor.roles),
                    "may": [action for action in ALLOWED if allowed(actor, action)],
                    "waiting_for_me": waiting_for(actor).count(),
                }
            ).data
        )


@declared_open("where a program logs in; wrong passwords are counted.")
class Tokens(OpenApiView):
    """Wrong passwords are counted by axes, together with those of the login page."""

    @operation(
        "createToken",
        "A token for a user name and a password; the same one until it is revoked",
        takes=TokenRequest,
        gives=TokenShown,
        errors=(WrongCredentials, CodeNeeded, LockedOut),
        login=False,
        tag="account",
    )
    def post(self, request: Request) -> Response:
        sent = read(TokenRequest, request.data)
        raw: Any = request._request
        user = authenticate(raw, username=sent["username"], password=sent["password"])
        if user is None:
            if getattr(raw, "axes_locked_out", False):
                raw.axes_locked_out = False  # or the middleware of axes replaces the answer by a page
                raise locked_out(get_cool_off(raw))
            raise WrongCredentials()
        _second_step(raw, user, sent["code"])
        token, _ = Token.objects.get_or_create(user=user)
        return Response(TokenShown({"token": token.key}).data)


def _second_step(request: Any, user: Any, code: str) -> None:
    """A password alone opens no login that has a second factor. Raises CodeNeeded, WrongCredentials, LockedOut."""
    if not factors.means_of(user).second:
        return
    if not code:
        raise CodeNeeded(field="code")
    counting.refuse_locked(request, user)
    if not (factors.right_code(user, code) or factors.right_recovery_code(user, code)):
        counting.count_wrong(request, user)
        raise WrongCredentials(field="code")


@declared_open("takes back one's own token.")
class TokenRevoke(ApiView):
    @operation("revokeToken", "Make one's own token useless", gives=None, status=204, tag="account")
    def delete(self, request: Request) -> Response:
        Token.objects.filter(user=request.user.pk).delete()
        return Response(status=204)
