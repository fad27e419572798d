"""The button of OpenID Connect in a real browser: the strict policy lets the form go on to the provider, and only there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.console.login.test_openid import CALLBACK, start_provider
from tests.databases import free_port, gunicorn
from tests.personas import user_of
from tests.provider.serve import CLIENT, PASSWORD, SECRET

pytestmark = [pytest.mark.browser, pytest.mark.unproven]


@pytest.fixture
def site(real_db: Any, collected_static: Path, tmp_path: Path) -> Iterator[str]:
    port = free_port()
    address = f"http://localhost:{port}"
    provider, issuer = start_provider(tmp_path / "provider", f"{address}{CALLBACK}")
    environment = real_db.env | {
        "CUSTODY_DEBUG": "0",
        "CUSTODY_HOME": str(collected_static),
        "CUSTODY_OIDC_ISSUER": issuer,
        "CUSTODY_OIDC_NAME": "Corp",
        "CUSTODY_OIDC_CLIENT": CLIENT,
        "CUSTODY_OIDC_SECRET": SECRET,
    }
    web = gunicorn(environment, port, tmp_path / "web.log")
    try:
        web.wait_for_answer(f"http://127.0.0.1:{port}/healthz")
        yield address
    finally:
        web.stop()
        provider.stop()


def test_from_the_button_to_the_tickets(site: str, approver: Any, browser: Browser) -> None:
    user = user_of(approver)
    user.email = "amir@corp.example"
    user.save()
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    complaints: list[str] = []
    mine = lambda said: said.type == "error" and "favicon" not in said.location["url"]  # noqa: E731  the provider has none
    page.on("console", lambda said: complaints.append(said.text) if mine(said) else None)
    page.goto(f"{site}/admin/tickets/")
    expect(page.locator("#by-sign-on")).to_have_text("Log in with Corp")
    page.click("#by-sign-on")
    expect(page).to_have_title("Provider")
    page.fill("#id_username", "amir")
    page.fill("#id_password", PASSWORD)
    page.click("button")
    page.wait_for_url(re.compile(r"/admin/tickets/"))
    expect(page.locator(".sh-un")).to_have_text("Amir Haddad")
    policy = page.request.get(f"{site}/account/security/").headers["content-security-policy"]
    assert re.search(r"form-action 'self'(;|$)", policy), "only the login page lets a form leave"
    page.context.close()
    assert complaints == []
