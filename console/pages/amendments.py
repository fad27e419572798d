"""Amendments: what was proposed about rules, roles, groups and persons, and the steps of two people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from access.enforcement import allowed
from access.models import Account
from approvals import amendments
from approvals.errors import BadAmendment
from approvals.models import Amendment
from console.errors import status_of
from console.pages.guards import require
from console.pages.rules import words
from console.pages.shell import actor_of
from foundation.actor import Actor
from foundation.errors import Conflict, Denied, Invalid, NotFound

PAGE = 25


@require_safe
def amendment_list(request: HttpRequest) -> HttpResponse:
    """Newest first, with the forms of those who may propose; pages go by key."""
    require(request, "amendment.browse")
    return render(request, "console/amendments.html", _page(request))


@require_POST
def propose(request: HttpRequest) -> HttpResponse:
    """Propose a role, a group or the person behind a login. What is wrong is said beside the form."""
    actor = require(request, "amendment.propose")
    kind = request.POST.get("kind", "")
    try:
        payload = _payload(kind, request)
        amendments.propose(kind, payload, actor=actor, reason=request.POST.get("reason", ""))
    except (Invalid, Denied) as error:
        typed = {
            "kind": kind,
            **{name: request.POST.get(name, "") for name in ("login", "group", "holds", "name", "reason")},
        }
        context = _page(request) | {"typed": typed, "error": str(error), "wrong": error.facts.get("field", "")}
        return render(request, "console/amendments.html", context, status=status_of(error))
    messages.success(request, _("Proposed. Nothing has changed until somebody else agrees."))
    return redirect("admin:amendments")


@require_POST
def agree(request: HttpRequest, amendment_id: int) -> HttpResponse:
    """Agree to another person's proposal."""
    require(request, "amendment.agree", f"A-{amendment_id}")
    answer = request.POST.get("answer", "")
    return _step(
        request, lambda actor: amendments.agree(amendment_id, actor=actor, answer=answer), _("Agreed. It is so now.")
    )


@require_POST
def refuse(request: HttpRequest, amendment_id: int) -> HttpResponse:
    """Say no, and why."""
    require(request, "amendment.agree", f"A-{amendment_id}")
    answer = request.POST.get("answer", "")
    return _step(
        request,
        lambda actor: amendments.refuse(amendment_id, actor=actor, answer=answer),
        _("Refused. Nothing has changed."),
    )


@require_POST
def withdraw(request: HttpRequest, amendment_id: int) -> HttpResponse:
    """Take one's own proposal back."""
    require(request, "amendment.propose", f"A-{amendment_id}")
    return _step(request, lambda actor: amendments.withdraw(amendment_id, actor=actor), _("Withdrawn."))


def _step(request: HttpRequest, verb: Callable[[Actor], Any], done: str) -> HttpResponse:
    try:
        verb(actor_of(request))
        messages.success(request, done)
    except (Conflict, Invalid, NotFound) as error:
        messages.error(request, str(error))
    return redirect("admin:amendments")


def _payload(kind: str, request: HttpRequest) -> dict[str, Any]:
    posted = request.POST
    if kind == Amendment.Kind.GROUP:
        return {"name": posted.get("name", "")}
    user = get_user_model().objects.filter(username=posted.get("login", "").strip()[:150]).first()
    if user is None:
        raise BadAmendment(field="login", hint=_("the name of a login"))
    if kind == Amendment.Kind.ROLE:
        return {"user": user.pk, "group": posted.get("group", ""), "holds": posted.get("holds") != "no"}
    same = posted.get("same", "").strip()
    if not same:
        return {"user": user.pk, "name": posted.get("name", "")}
    account = Account.objects.filter(user__username=same[:150]).first()
    if account is None:
        raise BadAmendment(field="same", hint=_("a login of that person, or leave it empty and give a name"))
    return {"user": user.pk, "person": account.person_id}


def _page(request: HttpRequest) -> dict[str, Any]:
    actor = actor_of(request)
    found = Amendment.objects.order_by("-pk")
    after = request.GET.get("after", "")
    if after.isdigit() and len(after) < 19:
        found = found.filter(pk__lt=int(after))
    rows = list(found[: PAGE + 1])
    return {
        **admin.site.each_context(request),
        "title": _("Amendments"),
        "rows": [_row(row, actor) for row in rows[:PAGE]],
        "older": f"?after={rows[PAGE - 1].pk}" if len(rows) > PAGE else "",
        "first": "?" if after else "",
        "may_propose": allowed(actor, "amendment.propose"),
        "groups": list(Group.objects.order_by("name").values_list("name", flat=True)),
        "typed": {},
    }


def _row(row: Amendment, actor: Actor) -> dict[str, Any]:
    mine = row.author_person_id == actor.person_id
    about_me = actor.person_id in (row.subject_person_id, row.payload.get("person"))
    proposed = row.state == Amendment.State.PROPOSED
    return {
        "amendment": row,
        "says": _says(row),
        "rules": [words(rule) for rule in row.payload["rules"]] if row.kind == Amendment.Kind.RULES else [],
        "past": row.evidence,
        "state": row.get_state_display(),
        "mine": mine,
        "about_me": about_me,
        "may_decide": proposed and not mine and not about_me and allowed(actor, "amendment.agree"),
        "may_withdraw": proposed and mine,
    }


def _says(row: Amendment) -> str:
    said = row.payload
    if row.kind == Amendment.Kind.RULES:
        return _("Other rules")
    if row.kind == Amendment.Kind.GROUP:
        return _("A new group: %(name)s") % {"name": said["name"]}
    if row.kind == Amendment.Kind.ROLE:
        words = _("%(login)s becomes %(group)s") if said["holds"] else _("%(login)s is no longer %(group)s")
        return words % {"login": said["login"], "group": said["group"]}
    return _("The login %(login)s belongs to %(name)s") % {"login": said["login"], "name": said.get("name", "")}
