"""Receivers of the tenant: webhooks and chat rooms, and what became of each delivery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from access.enforcement import allowed
from approvals.notices import receivers
from approvals.notices.kinds import CHOSEN, Channel
from approvals.notices.models import Delivery, Receiver
from console.errors import status_of
from console.pages.guards import require
from console.pages.notices import names_of
from console.pages.shell import actor_of
from console.presenters.notices import delivery_row, kinds_of, receiver_pill
from foundation.errors import Conflict, Denied, Invalid

PAGE = 25
FIELDS = ("channel", "name", "address")


@require_safe
def receiver_list(request: HttpRequest) -> HttpResponse:
    """All receivers, newest first, with the form of those who may add one; pages go by key."""
    require(request, "receiver.browse")
    return render(request, "console/receivers.html", _page(request))


@require_POST
@never_cache
def add(request: HttpRequest) -> HttpResponse:
    """Add one. The answer shows a webhook's secret, the only time anybody sees it."""
    actor = require(request, "receiver.manage")
    typed = {name: request.POST.get(name, "") for name in FIELDS}
    kinds = request.POST.getlist("kinds")
    try:
        made, secret = receivers.add(receivers.Wish(**typed, kinds=kinds), actor=actor)
    except (Invalid, Denied) as error:
        context = _page(request) | {"typed": typed, "error": str(error), "wrong": error.facts.get("field", "")}
        context["typed_kinds"] = kinds
        return render(request, "console/receivers.html", context, status=status_of(error))
    return render(request, "console/receivers.html", _page(request) | {"made": made, "secret": secret})


@require_POST
@never_cache
def renew(request: HttpRequest, receiver_id: int) -> HttpResponse:
    """A new secret, shown once."""
    actor = require(request, "receiver.manage")
    try:
        made, secret = receivers.renew_secret(receiver_id, actor=actor)
    except Conflict as error:
        messages.error(request, str(error))
        return redirect("admin:receivers")
    return render(request, "console/receivers.html", _page(request) | {"made": made, "secret": secret})


@require_POST
def switch_off(request: HttpRequest, receiver_id: int) -> HttpResponse:
    """Tell it nothing more; what is on its way is dropped."""
    return _step(request, lambda actor: receivers.switch(receiver_id, on=False, actor=actor), _("Switched off."))


@require_POST
def switch_on(request: HttpRequest, receiver_id: int) -> HttpResponse:
    """Tell it again, from now on."""
    return _step(request, lambda actor: receivers.switch(receiver_id, on=True, actor=actor), _("Switched on."))


@require_POST
def try_out(request: HttpRequest, receiver_id: int) -> HttpResponse:
    """Send a test."""
    done = _("A test is on its way. Its delivery shows whether it arrives.")
    return _step(request, lambda actor: receivers.try_out(receiver_id, actor=actor), done)


@require_POST
def send_again(request: HttpRequest, delivery_id: int) -> HttpResponse:
    """Begin anew with a delivery that was given up."""
    done = _("It is on its way again.")
    return _step(request, lambda actor: receivers.send_again(delivery_id, actor=actor), done, to="admin:deliveries")


@require_safe
def delivery_list(request: HttpRequest) -> HttpResponse:
    """Deliveries of all ways, newest first, with a tab per state; pages go by key."""
    actor = require(request, "receiver.browse")
    wanted = request.GET.get("state", "")
    state = wanted if wanted in Delivery.State.values else ""
    found = Delivery.objects.select_related("message", "receiver").order_by("-pk")
    if state:
        found = found.filter(state=state)
    after = request.GET.get("after", "")
    if after.isdigit() and len(after) < 19:
        found = found.filter(pk__lt=int(after))
    page = list(found[: PAGE + 1])
    names = names_of(delivery.person_id for delivery in page)
    context = {
        **admin.site.each_context(request),
        "title": _("Deliveries"),
        "rows": [delivery_row(delivery, names) for delivery in page[:PAGE]],
        "state": state,
        "tabs": [("", _("All")), *Delivery.State.choices],
        "may_manage": allowed(actor, "receiver.manage"),
        "older": f"?state={state}&after={page[PAGE - 1].pk}" if len(page) > PAGE else "",
        "first": f"?state={state}" if after else "",
    }
    return render(request, "console/deliveries.html", context)


def _step(request: HttpRequest, verb: Callable[..., Any], done: str, *, to: str = "admin:receivers") -> HttpResponse:
    actor = require(request, "receiver.manage")
    try:
        verb(actor)
        messages.success(request, done)
    except (Conflict, Invalid) as error:
        messages.error(request, str(error))
    return redirect(to)


def _page(request: HttpRequest) -> dict[str, Any]:
    found = Receiver.objects.order_by("-pk")
    after = request.GET.get("after", "")
    if after.isdigit() and len(after) < 19:
        found = found.filter(pk__lt=int(after))
    page = list(found[: PAGE + 1])
    return {
        **admin.site.each_context(request),
        "title": _("Receivers"),
        "rows": [
            {"receiver": one, "pill": receiver_pill(one), "kinds": kinds_of(one), "signs": one.secret is not None}
            for one in page[:PAGE]
        ],
        "may_manage": allowed(actor_of(request), "receiver.manage"),
        "channels": [(one.value, one.label) for one in (Channel.WEBHOOK, Channel.CHAT)],
        "kinds": [(kind.value, kind.label) for kind in CHOSEN],
        "typed": {},
        "older": f"?after={page[PAGE - 1].pk}" if len(page) > PAGE else "",
        "first": "?" if after else "",
    }
