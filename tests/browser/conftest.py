"""A real Chromium on a real server: every console message, foreign request and sideways scroll is a failure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page

from foundation.actor import Actor
from tests.personas import user_of

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PASSWORD = "correct horse battery"


@dataclass
class Visitor:
    """A person at a browser."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        self.page.wait_for_load_state()
        return self.page

    def sideways(self) -> int:
        """How many pixels the page can be scrolled sideways."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def violations(self) -> list[str]:
        """What axe finds on the page now. Django's picker (select2) is left out: its empty box has no name, upstream."""
        self.page.wait_for_load_state("networkidle")
        before = len(self.complaints)
        self.page.evaluate(AXE)
        found = self.page.evaluate(
            "rules => axe.run({exclude: [['.select2']]}, {runOnly: {type: 'tag', values: rules}})", RULES
        )
        self.page.wait_for_timeout(50)
        del self.complaints[before:]  # axe tries styles of its own, which the policy stops
        return [f"{v['id']}: {v['nodes'][0]['html'][:120]}" for v in found["violations"]]


def _watch(context: BrowserContext, page: Page, address: str) -> Visitor:
    visitor = Visitor(page, address)
    host = urlsplit(address).netloc

    def foreign(route: Any) -> None:
        visitor.complaints.append(f"foreign request: {route.request.url}")
        route.abort()

    context.route(lambda url: urlsplit(url).netloc != host and not url.startswith("data:"), foreign)

    def heard(message: Any) -> None:
        if message.type in ("error", "warning"):
            visitor.complaints.append(f"{urlsplit(page.url).path} {message.type}: {message.text}")

    page.on("console", heard)
    page.on("pageerror", lambda error: visitor.complaints.append(f"exception: {error}"))
    return visitor


@pytest.fixture
def visit(browser: Browser, live_site: str) -> Iterator[Callable[..., Visitor]]:
    """`visit(operator, width=390, dark=True, script=False)`: logged in (`by_page`: with a password); checked at the end."""
    visitors: list[Visitor] = []

    def make(
        actor: Actor | None,
        *,
        width: int = 1440,
        dark: bool = False,
        script: bool = True,
        by_page: bool = False,
        host: str = "127.0.0.1",
    ) -> Visitor:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            reduced_motion="reduce",
            service_workers="block",
        )
        visitor = _watch(context, context.new_page(), live_site.replace("127.0.0.1", host))
        visitors.append(visitor)
        if actor is not None:
            (_log_in_by_page if by_page else _log_in)(visitor, actor)
        return visitor

    yield make
    complaints = [complaint for visitor in visitors for complaint in visitor.complaints]
    for visitor in visitors:
        visitor.page.context.close()
    assert complaints == []


def prove(visitor: Visitor) -> None:
    """Answer the page that stands in front of an act, with the password."""
    visitor.page.fill("#step_up_password", PASSWORD)
    visitor.page.click("#step-up button.c-prim")
    visitor.page.wait_for_load_state()


@cache
def _encoded() -> str:
    """The password as the site keeps it, which hashes otherwise than the tests; made once."""
    return make_password(PASSWORD, hasher="pbkdf2_sha256")


def _log_in(visitor: Visitor, actor: Actor) -> None:
    """With a session that is there already: passwords are hashed slowly. The password is for the fresh proof."""
    type(user_of(actor)).objects.filter(pk=actor.user_id).update(password=_encoded())
    client = Client()
    client.force_login(user_of(actor), backend="django.contrib.auth.backends.ModelBackend")
    value = client.cookies[settings.SESSION_COOKIE_NAME].value
    visitor.page.context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": visitor.address, "httpOnly": True}]
    )


def _log_in_by_page(visitor: Visitor, actor: Actor) -> None:
    user = user_of(actor)
    user.password = _encoded()
    user.save()
    visitor.open("/admin/login/")
    visitor.page.fill("#id_username", user.username)
    visitor.page.fill("#id_password", PASSWORD)
    visitor.page.click("#login-form button")
    visitor.page.wait_for_url(re.compile(r"/admin/$"))
