"""The page that asks for a fresh proof, in front of the act that needs it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from access.proofs import needed
from console.login import factors, proving
from console.pages.errors import refusal
from foundation.errors import CustodyError

MEANT, ONLY_LOOK = "step_up_for", "step_up_look"
FIELDS = {
    proving.PASSWORD: "step_up_password",
    proving.CODE: "step_up_code",
    proving.PASSKEY: "step_up_passkey",
}
OWN = frozenset({MEANT, ONLY_LOOK, "csrfmiddlewaretoken", *FIELDS.values()})


def given(request: HttpRequest) -> dict[str, str]:
    """What the page's form sent, by method."""
    return {method: request.POST.get(field, "")[:65_536] for method, field in FIELDS.items()}


def ask(request: HttpRequest, action: str, *, wrong: CustodyError | None = None) -> HttpResponse:
    """The page, with everything that was sent in hidden fields. Nothing of it was done yet."""
    context = {
        **admin.site.each_context(request),
        "title": _("Is it you?"),
        "act": _act(action),
        "meant": action,
        "sentence": str(needed(action)),
        "wrong": "" if wrong is None else str(wrong),
        "carried": [(name, value) for name in request.POST if name not in OWN for value in request.POST.getlist(name)],
        "only_look": request.method != "POST" or bool(request.POST.get(ONLY_LOOK)),
        "address": request.get_full_path(),
        "names": FIELDS,
        **_means(request),
    }
    answer = render(request, "console/step_up.html", context)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def locked(request: HttpRequest, error: CustodyError) -> HttpResponse:
    """Too many wrong ones: what had been sent was not done."""
    return refusal(request, error)


def _means(request: HttpRequest) -> dict[str, Any]:
    user: Any = request.user
    means = factors.means_of(user)
    taken = settings.CUSTODY_STEP_UP_METHODS
    passkey = means.passkey and proving.PASSKEY in taken
    return {
        "by_password": means.password and proving.PASSWORD in taken,
        "by_code": means.code and proving.CODE in taken,
        "by_passkey": passkey,
        "js_data": {"request_options": factors.question(user)} if passkey else None,
    }


def _act(action: str) -> str:
    """The act in words, for the people who are about to do it."""
    acts = {
        "ticket.vote": _("You are about to decide on a ticket."),
        "exemption.agree": _("You are about to agree to an exemption."),
        "change.purge": _("You are about to remove rows for good."),
        "account.secure": _("You are about to change how you log in."),
    }
    return acts.get(action, _("You are about to do something that asks for it (%(action)s).") % {"action": action})
