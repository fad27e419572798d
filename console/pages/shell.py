"""What the frame shows on every page: menu, badge, environment, the person."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from access.enforcement import allowed
from approvals.notices import inbox
from audit import registry
from console.pages.inbox import waiting_count
from console.presenters.impact import capital
from console.presenters.menu import Menu, Model, menu, roles
from console.presenters.words import initials
from foundation.actor import Actor

NOBODY = Actor(kind="user", name="")


def actor_of(request: HttpRequest) -> Actor:
    """The actor the context middleware found; a person without rights when there is none."""
    actor: Actor = getattr(request, "actor", NOBODY)
    return actor


def shell_context(request: HttpRequest, available_apps: list[Any]) -> dict[str, Any]:
    """Variables of admin/base.html."""
    actor = actor_of(request)
    return {
        "actor": actor,
        "initials": initials(actor.name),
        "menu": _menu(request, actor, available_apps),
        "may_ask": allowed(actor, "change.request"),
        **_news(actor),
        "role_words": roles(actor.roles),
        "environment": None if settings.PRODUCTION else settings.CUSTODY_ENV,
        "other_language": "en" if (translation.get_language() or "en").startswith("zh") else "zh-hans",
    }


def _news(actor: Actor) -> dict[str, Any]:
    """The bell: whether there is one, how many notices are unread, and the same in words."""
    unread = inbox.unread_count(actor)
    words = str(unread) if unread < inbox.COUNTED else f"{inbox.COUNTED - 1}+"
    return {"may_notices": allowed(actor, "notice.browse"), "unread": unread, "unread_words": words}


def _menu(request: HttpRequest, actor: Actor, available_apps: list[Any]) -> Menu:
    if not request.user.is_authenticated:
        return ()
    browses = allowed(actor, "change.browse")
    return menu(
        path=request.path,
        overview=reverse("admin:index"),
        tickets=reverse("admin:tickets") if browses else None,
        waiting=waiting_count(actor) if browses else 0,
        snapshots=reverse("admin:snapshots") if allowed(actor, "snapshot.browse") else None,
        holds=reverse("admin:holds") if allowed(actor, "hold.browse") else None,
        archive=reverse("admin:archives") if allowed(actor, "archive.browse") else None,
        statements=reverse("admin:statements") if allowed(actor, "history.browse") else None,
        models=[
            Model(name=str(model["name"]), url=model["admin_url"], app=app["app_label"])
            for app in available_apps
            for model in app["models"]
            if model.get("admin_url")
        ]
        + _own_pages(actor),
    )


def _own_pages(actor: Actor) -> list[Model]:
    """Tables with keys of several columns have no page of Django's; what two people do has one of ours."""
    places = (
        ("rule.browse", _("Rules"), "admin:rules", "approvals"),
        ("amendment.browse", _("Amendments"), "admin:amendments", "approvals"),
        ("exemption.browse", _("Exemptions"), "admin:exemptions", "audit"),
        ("receiver.browse", _("Receivers"), "admin:receivers", "access"),
    )
    exemptions = [
        Model(name=name, url=reverse(url), app=app) for action, name, url, app in places if allowed(actor, action)
    ]
    if not allowed(actor, "entity.browse"):
        return exemptions
    return exemptions + [
        Model(
            name=capital(str(model.governance.label)),
            url=reverse("admin:rows", args=[model._meta.label_lower]),
            app=model._meta.app_label,
        )
        for model in registry.entities()
        if model._meta.is_composite_pk
    ]
