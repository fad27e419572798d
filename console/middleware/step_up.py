"""An act that lacks its fresh proof is answered by a page that asks for one, and then done as it was asked for.

The page carries everything that was sent as hidden fields and posts it to the same address together with the proof. So
nothing typed is lost, nothing is kept on the server meanwhile, and it works without script.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect

from access.errors import MethodNotTaken, StepUpNeeded, WrongProof
from console.api.errors import LockedOut
from console.login import proving
from console.pages import step_up
from console.pages.shell import actor_of

# htmx would put the page into a part of another one: console.js sends the form again, whole.
AGAIN = "X-Step-Up"


class StepUpMiddleware:
    """Pages only; the API refuses with a problem that says where to prove."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Verify what the page sent before the act itself is tried. The form's own token was checked before this."""
        # The path first: to look into the form of an API request would read it before its own parsers do.
        if request.path.startswith("/api/") or request.method != "POST":
            return None
        if step_up.MEANT not in request.POST or not request.user.is_authenticated:
            return None
        meant = request.POST[step_up.MEANT]
        try:
            proving.prove(request, request.user, actor_of(request), step_up.given(request), meant=meant)
        except (WrongProof, MethodNotTaken) as error:
            return step_up.ask(request, meant, wrong=error)
        except LockedOut as error:
            return step_up.locked(request, error)
        if request.POST.get(step_up.ONLY_LOOK):
            return HttpResponseRedirect(request.get_full_path())
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, StepUpNeeded) or request.path.startswith("/api/"):
            return None
        if "HX-Request" in request.headers:
            return HttpResponse(status=204, headers={AGAIN: "1"})
        return step_up.ask(request, exception.facts["action"])
