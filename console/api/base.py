"""The one base of the API's views: who acts, for which tenant, under which request; strict parameters.

A token is only known to DRF, after every middleware has run, so the context of the work opens here.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, ClassVar

from rest_framework.authentication import SessionAuthentication, TokenAuthentication
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from access.actors import actor_for
from access.enforcement import enforce
from access.proofs import bound_to
from console.api.bodies import StrictJSONParser, refuse_unstorable
from console.api.errors import UnknownParameter
from console.api.problems import handle
from foundation import context
from foundation.actor import Actor

CHANNEL = "api"


class ApiView(APIView):
    """Views name the query parameters they know per method; any other is refused, not overlooked."""

    # The token comes first: DRF answers 401 only when the first way of logging in has a challenge.
    authentication_classes: Any = (TokenAuthentication, SessionAuthentication)
    permission_classes: Any = (IsAuthenticated,)
    parser_classes = (StrictJSONParser,)
    renderer_classes: Any = (JSONRenderer,)
    throttle_classes = ()
    parameters: ClassVar[dict[str, frozenset[str]]] = {}

    actor: Actor

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        with ExitStack() as self.work:
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self._refuse_parameters(request, kwargs)
        if request.user.is_authenticated:
            self._act(request)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        raw: Any = getattr(request, "_request", request)
        answer.headers["X-Trace-ID"] = raw.trace_id
        if raw.traceparent:
            answer.headers["traceparent"] = raw.traceparent
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    def get_exception_handler(self) -> Any:
        return handle

    def enforce(self, action: str, resource: str) -> None:
        """The policy's answer at this door, recorded; raises NotAllowed."""
        enforce(self.actor, action, resource[:200])

    def _refuse_parameters(self, request: Request, kwargs: dict[str, Any]) -> None:
        refuse_unstorable({name: request.query_params.getlist(name) for name in request.query_params})
        refuse_unstorable(kwargs)
        method = request.method or ""
        if not hasattr(self, method.lower()):
            return  # the answer is 405, whatever the parameters
        known = self.parameters.get(method, frozenset())
        for name in request.query_params:
            if name not in known:
                raise UnknownParameter(field=name[:60], value=name[:60], known=", ".join(sorted(known)) or "-")

    def _act(self, request: Request) -> None:
        """Open the context of the token, unless a session is used, whose context the middleware has opened."""
        raw: Any = request._request
        work = context.current()
        key = getattr(request.auth, "key", "")
        if work is not None and work.actor.user_id == request.user.pk and not key:
            self.actor = work.actor
            return
        self.actor = actor_for(request.user)
        self.work.enter_context(
            context.acting(
                self.actor,
                channel=CHANNEL,
                request_id=raw.request_id,
                trace_id=raw.trace_id,
                ip=raw.META.get("REMOTE_ADDR") or None,
                session=bound_to("token", key) if key else None,
            )
        )


class OpenApiView(ApiView):
    """For everybody, without a login."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


def integer(text: str, *, least: int = 0, most: int = 2**63 - 1) -> int | None:
    """A whole number of a query parameter, None when it is none."""
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    number = int(text)
    return number if least <= number <= most else None
