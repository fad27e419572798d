"""Logging in and proving who one is, in a real browser: a code app, passkeys of a virtual authenticator, no script at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, Visitor, prove
from tests.console.login.codes import code_now
from tests.console.pages.scenes import ask
from tests.personas import user_of

pytestmark = [pytest.mark.browser, pytest.mark.unproven]
LOOKS = [(1440, False), (1440, True), (390, False), (390, True)]


def authenticator(page: Page) -> Callable[..., Any]:
    """A device with a fingerprint reader, plugged into this browser; ask it by the names of the DevTools protocol."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    made = devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": options | {"isUserVerified": True, "automaticPresenceSimulation": True}},
    )

    def send(method: str, **more: Any) -> Any:
        return devtools.send(f"WebAuthn.{method}", {"authenticatorId": made["authenticatorId"]} | more)

    return send


def add_passkey(visitor: Visitor) -> None:
    page = visitor.open("/account/passkeys/add/")
    prove(visitor)
    page.fill("#id_name", "Laptop")
    page.click("#add-passkey")
    expect(page.locator("h1")).to_have_text("Recovery codes")
    page.click("text=I have kept them")
    expect(page.locator("h1")).to_have_text("Security")
    expect(page.locator("table.cards")).to_contain_text("Laptop")


def log_out(visitor: Visitor) -> None:
    visitor.open("/admin/")
    visitor.page.click("details.sh-user summary")
    visitor.page.click("#logout-form button")
    visitor.page.wait_for_load_state()


def test_a_passkey_logs_in_and_decides(real_db: Any, operator: Any, approver: Any, visit: Any) -> None:
    ticket = ask(operator).ticket
    visitor = visit(approver, host="localhost")
    page = visitor.page
    device = authenticator(page)
    add_passkey(visitor)
    assert len(device("getCredentials")["credentials"]) == 1
    log_out(visitor)

    visitor.open("/admin/login/")
    page.click("#by-passkey")
    page.wait_for_url(re.compile(r"/admin/$"))

    visitor.open(f"/admin/tickets/{ticket.pk}/")
    page.fill("#id_reason", "seen on the train")
    page.click("button[value=approve]")
    expect(page.locator("h1")).to_have_text("Is it you?")
    page.click("#step_up_by_passkey")
    expect(page.locator(".messagelist")).to_contain_text("An operator can start it now.")
    expect(page.locator("#panel")).to_contain_text("seen on the train")


def test_a_passkey_is_the_second_step_after_a_password(real_db: Any, approver: Any, visit: Any) -> None:
    visitor = visit(approver, host="localhost")
    page = visitor.page
    authenticator(page)
    add_passkey(visitor)
    log_out(visitor)
    visitor.open("/admin/login/")
    page.fill("#id_username", user_of(approver).username)
    page.fill("#id_password", PASSWORD)
    page.click("#login-form button")
    expect(page.locator("h1")).to_have_text("Second step")
    assert visitor.violations() == []
    page.click("#by-passkey")
    page.wait_for_url(re.compile(r"/admin/$"))


def test_a_device_that_does_not_know_its_user_proves_nothing(
    real_db: Any, operator: Any, approver: Any, visit: Any
) -> None:
    from access.models import Proof

    ticket = ask(operator).ticket
    visitor = visit(approver, host="localhost")
    page = visitor.page
    device = authenticator(page)
    add_passkey(visitor)
    given = Proof.objects.filter(method="passkey").count()
    with real_db.owner() as owner:  # what was proven by password to add the passkey counts no more
        owner.execute("ALTER TABLE access_proof DISABLE TRIGGER custody_kept")
        owner.execute("UPDATE access_proof SET proved_at = now() - interval '1 day'")
    device("setUserVerified", isUserVerified=False)
    visitor.open(f"/admin/tickets/{ticket.pk}/")
    page.click("button[value=approve]")
    page.click("#step_up_by_passkey")
    page.wait_for_timeout(500)
    expect(page.locator("h1")).to_have_text("Is it you?")
    assert Proof.objects.filter(method="passkey").count() == given == 0
    visitor.complaints.clear()  # the browser says that the device refused


def test_a_code_app_is_set_up_used_and_removed(real_db: Any, approver: Any, visit: Any) -> None:
    visitor = visit(approver)
    page = visitor.open("/account/security/")
    page.click("section:has(#h-app) >> text=Set up")
    prove(visitor)
    expect(page.locator("img[src^='data:image/svg']")).to_be_visible()
    assert visitor.violations() == []
    secret = page.locator("#secret").inner_text()
    page.fill("#id_code", "000000")
    page.click("button[type=submit]:has-text('Set up')")
    expect(page.locator("#code-wrong")).to_be_visible()
    page.fill("#id_code", code_now(page.locator("#secret").inner_text()))
    assert page.locator("#secret").inner_text() == secret
    page.click("button[type=submit]:has-text('Set up')")
    expect(page.locator("#recovery-codes li")).to_have_count(10)
    code = page.locator("#recovery-codes li").first.inner_text()
    page.click("text=I have kept them")
    log_out(visitor)

    visitor.open("/admin/login/")
    page.fill("#id_username", user_of(approver).username)
    page.fill("#id_password", PASSWORD)
    page.click("#login-form button")
    expect(page.locator("h1")).to_have_text("Second step")
    page.fill("#id_code", code)
    page.click("#second-step button")
    page.wait_for_url(re.compile(r"/admin/$"))

    visitor.open("/account/app/remove/")
    page.fill("#step_up_code", code_now(secret, later=1))
    page.click("#step-up button.c-prim")
    page.click("button[type=submit]:has-text('Remove')")
    expect(page.locator(".messagelist")).to_contain_text("The code app is removed.")


def test_without_script_the_password_proves_it(real_db: Any, operator: Any, approver: Any, visit: Any) -> None:
    ticket = ask(operator).ticket
    visitor = visit(approver, script=False)
    page = visitor.open(f"/admin/tickets/{ticket.pk}/")
    page.fill("#id_reason", "seen without script")
    page.click("button[value=approve]")
    prove(visitor)
    expect(page.locator("#panel")).to_contain_text("seen without script")


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_the_pages_in_every_look(
    width: int, dark: bool, real_db: Any, operator: Any, approver: Any, visit: Any
) -> None:
    ticket = ask(operator).ticket
    visitor = visit(approver, width=width, dark=dark, host="localhost")
    page = visitor.open(f"/admin/tickets/{ticket.pk}/")
    page.click("button[value=approve]")
    expect(page.locator("h1")).to_have_text("Is it you?")
    assert (visitor.sideways(), visitor.violations()) == (0, [])
    prove(visitor)
    authenticator(page)
    for path in ("/account/security/", "/account/app/", "/account/passkeys/add/"):
        visitor.open(path)
        if page.locator("#step-up").count():
            prove(visitor)
        assert (visitor.sideways(), visitor.violations()) == (0, []), path
