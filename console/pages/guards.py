"""Who may open a page. A refusal is recorded; looking at an allowed page is not."""

from __future__ import annotations

from django.http import HttpRequest

from access.enforcement import allowed, enforce
from console.pages.shell import actor_of
from foundation.actor import Actor


def require(request: HttpRequest, action: str, resource: str = "") -> Actor:
    """The actor, if the policy lets them. Raises NotAllowed."""
    actor = actor_of(request)
    if not allowed(actor, action, resource):
        enforce(actor, action, resource)
    return actor
